// Compares the package with reference tensors: npm run parity -- FILE.safetensors ... (FILE.json lies beside each).
// One line a quantity: name, worst absolute difference, tolerance, ok. Exit status 1 on a miss, 2 when a file cannot be used.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { transformSync } from '@swc/core'

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)

/** The ladder is the tests' own: its modules take the package as an argument, so that they need no build of their own. */
function load(names) {
  const folder = join(root, 'build', 'parity')
  mkdirSync(folder, { recursive: true })
  for (const name of names) {
    const source = readFileSync(join(root, 'test', 'support', `${name}.ts`), 'utf8')
    const { code } = transformSync(source, { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } })
    writeFileSync(join(folder, `${name}.js`), code)
  }
  return Object.assign({}, ...names.map((name) => require(join(folder, `${name}.js`))))
}

const { positionals: files } = parseArgs({ allowPositionals: true })
if (files.length === 0) {
  console.error('usage: npm run parity -- FILE.safetensors ...')
  process.exit(2)
}
const { readGolden, climb } = load(['expect-close', 'golden', 'ladder'])
const api = require(join(root, 'lib', 'index.js'))
const { openSafetensors } = require(join(root, 'lib', 'io', 'safetensors.js'))

const number = (value, digits) => (Number.isFinite(value) ? value.toExponential(digits) : String(value))
let misses = 0
for (const file of files) {
  console.log(`# ${file}`)
  try {
    let [count, worst] = [0, 0]
    const missesBefore = misses
    for await (const { name, worst: difference, tolerance, ok, detail } of climb(await readGolden(file, openSafetensors), api)) {
      console.log(
        [name.padEnd(64), number(difference, 2).padStart(9), number(tolerance, 1).padStart(8), ok ? 'ok' : `MISS  ${detail}`].join('  '),
      )
      count++
      if (ok) worst = Math.max(worst, difference)
      else misses++
    }
    console.log(
      `# ${basename(file)}: ${count} quantities, ${misses - missesBefore} misses, largest difference among the others ${number(worst, 2)}`,
    )
  } catch (error) {
    console.error(`${file} cannot be compared: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 2
  }
}
if (misses > 0) process.exitCode = 1
