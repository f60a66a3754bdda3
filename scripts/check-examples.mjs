// Runs every program of examples/ for two steps on a few drawn images, as its users would: against lib/, by the package's name. Then checks
// that the TypeScript in README.md compiles.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import sharp from 'sharp'
import ts from 'typescript'
import { buildLib } from './build-lib.mjs'
import { buildNative } from './build-native.mjs'

const root = join(import.meta.dirname, '..')
const examples = join(root, 'examples')
const compiled = join(examples, 'build') // inside the repository: only there its own name can be imported
const steps = '2'

/** A folder of twelve small images. */
async function drawImages(folder) {
  mkdirSync(folder, { recursive: true })
  for (let index = 0; index < 12; index++) {
    const disc = `<circle cx="${20 + index * 3}" cy="${30 + index * 2}" r="14" fill="hsl(${index * 30},80%,50%)"/>`
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="72"><rect width="80" height="72" fill="#dde"/>${disc}</svg>`
    await sharp(Buffer.from(svg))
      .png()
      .toFile(join(folder, `disc-${index}.png`))
  }
}

function compile(file) {
  const { outputText } = ts.transpileModule(readFileSync(join(examples, file), 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, esModuleInterop: true },
  })
  const path = join(compiled, `${basename(file, '.ts')}.js`)
  writeFileSync(path, outputText)
  return path
}

function runExamples(work) {
  const images = join(work, 'images')
  for (const file of readdirSync(examples).filter((name) => name.endsWith('.ts'))) {
    const started = Date.now()
    // The fourth argument is a port where a program takes one: any free one.
    const args = [compile(file), images, join(work, basename(file, '.ts')), steps, '0']
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 })
    report(`examples/${file}`, status, `${stdout}${stderr}`, started)
  }
}

/** As ES modules, which the examples are not. */
function checkReadme() {
  const started = Date.now()
  const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code)
  const files = blocks.map((code, at) => {
    const path = join(compiled, `readme-${at + 1}.mts`)
    writeFileSync(path, code)
    return path
  })
  const flags = '--noEmit --strict --skipLibCheck --module node16 --target es2022 --lib es2023,esnext.disposable --types node'.split(' ')
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...flags, ...files], { cwd: root, encoding: 'utf8' })
  report(`${files.length} pieces of README.md`, status, stdout, started)
}

function report(name, status, output, started) {
  console.log(`${name}: ${status === 0 ? 'ok' : `exit status ${status}`} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  if (status === 0) return
  console.log(output)
  process.exitCode = 1
}

buildLib()
await buildNative((line) => console.log(line))
mkdirSync(compiled, { recursive: true })
checkReadme()
const work = mkdtempSync(join(tmpdir(), 'cae-examples-'))
try {
  await drawImages(join(work, 'images'))
  runExamples(work)
} finally {
  rmSync(work, { recursive: true, force: true })
  rmSync(compiled, { recursive: true, force: true })
}
