// Everything that no test checks: format, lint, types, generated files, import arrows, package shape, and that the examples run.
// With --fast only what takes seconds, and the tests near what has changed.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { buildLib } from './build-lib.mjs'

const root = join(import.meta.dirname, '..')
const bin = (name) => join(root, 'node_modules/.bin', name)
const script = (name, ...args) => [process.execPath, join(root, 'scripts', name), ...args]
const isFast = process.argv.includes('--fast')

/** Each: a name, a command, and whether --fast runs it too. Types first: they take longest. */
const checks = [
  { name: 'types', command: [bin('tsc'), '-p', 'tsconfig.check.json'], fast: true },
  { name: 'format and lint', command: [bin('biome'), 'ci', '--colors=off', '.'], fast: true },
  { name: 'C++ format', command: script('clang-format.mjs'), fast: true },
  { name: 'import arrows', command: script('check-imports.mjs'), fast: true },
  { name: 'native declarations', command: script('gen-native.mjs', '--check'), fast: true },
  { name: 'option docs', command: script('gen-options.mjs', '--check') },
  { name: 'bench types', command: [bin('tsc'), '-p', 'bench', '--noEmit'] },
  { name: 'soak types', command: [bin('tsc'), '-p', 'test/soak', '--noEmit'] },
  { name: 'unused code', command: [bin('knip'), '--no-progress'] },
  { name: 'package (publint)', command: [bin('publint'), '--strict'] },
  { name: 'package types (attw)', command: [bin('attw'), '--pack', '.', '--format', 'ascii', '--quiet'] },
  { name: 'examples and README', command: script('check-examples.mjs') },
  { name: 'tests near the diff', command: [bin('jest'), '--onlyChanged', '--passWithNoTests', '--silent'], onlyFast: true },
].filter(({ fast, onlyFast }) => (isFast ? fast || onlyFast : !onlyFast))

function run({ name, command }) {
  const [file, ...args] = command
  const started = Date.now()
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => (output += error.message))
    child.on('close', (status) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1)
      console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`)
      if (status !== 0) console.log(output.trimEnd().replace(/^/gm, '     '))
      resolve(status === 0)
    })
  })
}

/** lib/ must stand for what reads it: the option tables and the package checks. */
function build() {
  try {
    buildLib()
    return true
  } catch (error) {
    console.log(`FAIL build of lib/: ${error.message}`)
    return false
  }
}

const results = isFast ? [] : [build()]
const queue = checks.values()
const lane = async () => {
  for (const check of queue) results.push(await run(check))
}
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, lane))
const failed = results.filter((ok) => !ok).length
console.log(failed === 0 ? `all ${results.length} checks passed` : `${failed} of ${results.length} checks failed`)
process.exitCode = failed === 0 ? 0 : 1
