// Builds lib/ from src/: declarations by tsc, CommonJS by swc, and a small ES module in front of it. Does nothing when lib/ is newer than src/.
// swc because it can put off loading a module until its first use: importing the package reads a few dozen small files in place of 380.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformSync } from '@swc/core'

const root = join(import.meta.dirname, '..')
const lib = join(root, 'lib')
const stamp = join(root, 'build/lib.stamp') // outside lib/, which is published as it is
const require = createRequire(import.meta.url)

/** Files under `folder`, as paths relative to it. */
function filesOf(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

/** What decides whether lib/ is up to date: every source with its size and time. */
function sourceState() {
  const inputs = [...filesOf(join(root, 'src')).map((file) => join('src', file)), 'tsconfig.json', 'package.json', 'scripts/build-lib.mjs']
  return inputs
    .sort()
    .map((file) => {
      const { mtimeMs, size } = statSync(join(root, file))
      return `${file} ${size} ${mtimeMs}`
    })
    .join('\n')
}

/** CommonJS of every source. `import()` stays what it is: some packages are ES modules only. */
function writeCommonJs() {
  for (const file of filesOf(join(root, 'src'))) {
    const source = readFileSync(join(root, 'src', file), 'utf8')
    const imported = [...source.matchAll(/ from '([^']+)'/g)].map(([, name]) => name)
    const { code } = transformSync(source, {
      filename: file,
      swcrc: false,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs', lazy: imported, ignoreDynamic: true, exportInteropAnnotation: true },
    })
    const output = join(lib, file.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(output), { recursive: true })
    writeFileSync(output, code)
  }
}

/** Removes outputs whose source is gone, so that a deleted file cannot be imported any more. */
function prune() {
  for (const file of filesOf(lib)) {
    const source = file.replace(/(\.d)?\.(js|ts)$/, '.ts')
    if (/\.(js|d\.ts)$/.test(file) && !existsSync(join(root, 'src', source))) rmSync(join(lib, file))
  }
}

/** lib/index.mjs: names listed one by one, so that bundlers and Node's linker see each. */
function writeModuleEntry() {
  const names = Object.keys(require(join(lib, 'index.js'))).sort()
  writeFileSync(join(lib, 'index.mjs'), `export {\n${names.map((name) => `  ${name},`).join('\n')}\n} from './index.js'\n`)
  writeFileSync(join(lib, 'index.d.mts'), "export * from './index.js'\n")
}

/** Brings lib/ up to date; true when there was something to do. */
export function buildLib() {
  const state = sourceState()
  if (existsSync(join(lib, 'errors.js')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === state) return false
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', root, '--emitDeclarationOnly'], { stdio: 'inherit' })
  if (status !== 0) throw new Error('tsc found errors in src/')
  writeCommonJs()
  prune()
  if (existsSync(join(lib, 'index.js'))) writeModuleEntry()
  const cli = join(lib, 'cli/main.js')
  if (existsSync(cli)) chmodSync(cli, 0o755)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, state)
  return true
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = Date.now()
  try {
    console.log(buildLib() ? `lib/ built in ${((Date.now() - started) / 1000).toFixed(1)} s` : 'lib/ is up to date')
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
