// Compares encoders with the libraries that made them: npm run test:interop. `CAE_PYTHON` names a Python with timm, transformers and
// safetensors. One line a case: its name, what was recognised, and the largest difference. Exit status 1 on a miss, 2 without such a Python.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const { Encoder, inspect } = require(join(root, 'lib/index.js'))
const { openSafetensors } = require(join(root, 'lib/io/safetensors.js'))
const { encoderOf } = require(join(root, 'lib/api/native-model.js'))
const { createBatch } = require(join(root, 'lib/api/tensors.js'))

/** Relative to the largest value: both sides round in float32, in another order. */
const tolerance = 1e-5

function makeCases(folder) {
  const python = process.env.CAE_PYTHON ?? 'python3'
  const { status, stderr, error } = spawnSync(python, [join(root, 'test/interop/encoders.py'), folder], { encoding: 'utf8' })
  if (status === 0) return JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'))
  console.error(`${python} did not make the encoders (CAE_PYTHON names another):\n${error?.message ?? stderr}`)
  process.exit(2)
}

/** Largest difference over largest value. */
function difference(got, want) {
  if (got.data.length !== want.data.length) return Number.POSITIVE_INFINITY
  let [worst, largest] = [0, 0]
  for (const [i, value] of want.data.entries()) {
    worst = Math.max(worst, Math.abs(value - got.data[i]))
    largest = Math.max(largest, Math.abs(value))
  }
  return worst / largest
}

/** Tokens, and the mean of the patches, as `evaluate` uses it. */
async function run(path, options, images) {
  const encoder = await Encoder.load(path, { device: 'cpu', ...options })
  const { addon, handle, config } = encoderOf(encoder)
  const batch = await createBatch(addon, { images }, config)
  try {
    return { tokens: await encoder.encode(images), avg: (await addon.modelFeatures(handle.get(), batch.get(), 'fp32')).avg }
  } finally {
    await batch.dispose()
    await encoder.dispose()
  }
}

let misses = 0

function line(name, what, value) {
  const ok = value <= tolerance
  if (!ok) misses++
  console.log([name.padEnd(24), what.padEnd(44), value.toExponential(1), ok ? 'ok' : 'MISS'].join('  '))
}

const folder = mkdtempSync(join(tmpdir(), 'cae-interop-'))
try {
  const { versions, cases } = makeCases(folder)
  console.log(
    `# ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
  )
  const wanted = await openSafetensors(join(folder, 'wanted.safetensors'))
  for (const { name, path, side, options } of cases) {
    const got = await run(path, options, await wanted.readFloat32(`image.${side}`))
    const { title } = await inspect(path, options)
    for (const [part, what] of [
      ['tokens', title],
      ['avg', 'mean of the patches'],
    ]) {
      const key = `${name}.${part}`
      if (wanted.tensors.has(key)) line(name, what, difference(got[part], await wanted.readFloat32(key)))
    }
  }
  await wanted.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (misses > 0) process.exitCode = 1
