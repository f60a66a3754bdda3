// What a user does: npm pack, install the archive in an empty folder, `npx cae-torch setup`, and a TypeScript program of a few lines, as an ES
// module and as CommonJS. Everything happens in a temporary folder with a cache of its own, as on a new machine; takes minutes.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildLib } from './build-lib.mjs'

const root = join(import.meta.dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'cae-pack-'))
const app = join(work, 'app')
const env = { ...process.env, XDG_CACHE_HOME: join(work, 'cache') }

const body = `
  const model = await ContextAutoencoder.create({ preset: 'cae-nano' })
  const features = await model.encode({ data: new Uint8Array(2 * 3 * 64 * 64), shape: [2, 3, 64, 64] })
  console.log(features.shape.join(' x '))
  await model.dispose()`
const programs = {
  'program.mts': `import { ContextAutoencoder } from '@cae/torch'\n${body}\n`,
  'program.cts': `import { ContextAutoencoder } from '@cae/torch'\nasync function main() {${body}\n}\nvoid main()\n`,
}

function step(name, file, args, cwd = app) {
  const started = Date.now()
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, env, encoding: 'utf8', maxBuffer: 2 ** 28 })
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  if (status === 0) return stdout.trim()
  console.log(`${stdout}\n${stderr}`.trim().replace(/^/gm, '     '))
  throw new Error(`${name} failed`)
}

/** Every file with its size, to see that nothing is written into node_modules. */
function listing(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${statSync(path).size}`)
    .sort()
    .join('\n')
}

try {
  mkdirSync(app)
  buildLib()
  const packed = JSON.parse(step('npm pack', 'npm', ['pack', '--json', '--pack-destination', work], root))[0]
  console.log(`     ${packed.filename}: ${packed.entryCount} files, ${Math.round(packed.unpackedSize / 1000)} kB`)
  const strays = packed.files
    .map(({ path }) => path)
    .filter((path) => !/^(lib|native)\/|^(CMakeLists\.txt|package\.json|LICENSE|README\.md|CHANGELOG\.md)$/.test(path))
  if (strays.length > 0) throw new Error(`packed by mistake: ${strays.join(', ')}`)

  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true }\n')
  step('npm install in an empty folder', 'npm', ['install', '--no-audit', '--no-fund', join(work, packed.filename)])
  const before = listing(join(app, 'node_modules'))
  step('npx cae-torch --help', 'npx', ['--no-install', 'cae-torch', '--help'])
  step('npx cae-torch setup', 'npx', ['--no-install', 'cae-torch', 'setup'])
  step('npx cae-torch setup again', 'npx', ['--no-install', 'cae-torch', 'setup'])
  step('npx cae-torch doctor', 'npx', ['--no-install', 'cae-torch', 'doctor'])

  for (const [name, text] of Object.entries(programs)) writeFileSync(join(app, name), text)
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
  step('tsc --strict', process.execPath, [
    tsc,
    '--strict',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    ...types,
    ...Object.keys(programs),
  ])
  for (const name of ['program.mjs', 'program.cjs']) {
    const said = step(`node ${name}`, process.execPath, [name])
    console.log(`     ${said}`)
  }
  if (listing(join(app, 'node_modules')) !== before) throw new Error('something was written into node_modules')
  console.log('ok   node_modules is as it was installed')
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
