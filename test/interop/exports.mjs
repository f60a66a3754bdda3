// Exports an encoder in every format and compares its features in the foreign runtimes with ours, on 16 pictures:
//   node test/interop/exports.mjs [RUN]     CAE_PYTHON: a Python with timm, transformers, onnxruntime, safetensors and Pillow
// Without a run it takes a small encoder with random weights. Prints a line a runtime; exits 1 when one differs by more than 1e-4.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ContextAutoencoder, exportModel } from '@cae/torch'
import sharp from 'sharp'

const root = join(import.meta.dirname, '../..')
const require = createRequire(import.meta.url)
const { writeSafetensors } = require('../../lib/io/safetensors.js')
const pictures = join(root, 'node_modules/@lobehub/fluent-emoji-3d/assets')
const python = process.env.CAE_PYTHON ?? 'python3'
const tolerance = 1e-4
const count = 16
const work = mkdtempSync(join(tmpdir(), 'cae-interop-'))

/** Vectors are moved off their start values: at zero or one a wrong name would not show. */
async function randomModel() {
  const model = await ContextAutoencoder.create({ preset: 'cae-tiny', imageSize: 96 }, { device: 'cpu' })
  const weights = await model.weights()
  for (const { data, shape } of Object.values(weights)) {
    if (shape.length === 1) for (let i = 0; i < data.length; i++) data[i] += 0.2 * Math.sin(7 * i + data.length)
  }
  await model.loadWeights(weights)
  return model
}

/** Pictures of the encoder's own size, so that no two ways of resizing are compared. */
async function writePictures({ imageSize: [height, width] }) {
  const names = readdirSync(pictures)
  const paths = []
  for (let i = 0; i < count; i++) {
    const path = join(work, `${String(i).padStart(2, '0')}.png`)
    const source = join(pictures, names[Math.floor((i * names.length) / count)])
    await sharp(source).flatten({ background: '#7faadd' }).resize(width, height, { fit: 'cover' }).png().toFile(path)
    paths.push(path)
  }
  return paths
}

function run(file, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 2 ** 26, ...options })
  if (status === 0) return stdout.trim().split('\n').at(-1)
  throw new Error(`${file} ${args[0]} failed\n${error?.message ?? `${stdout}${stderr}`}`)
}

/** onnxruntime-node in a folder of its own: its install script would fetch libraries that nothing here needs. */
function nodeRuntime() {
  writeFileSync(join(work, 'package.json'), '{ "private": true }\n')
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', 'onnxruntime-node'], { cwd: work })
  return createRequire(join(work, 'package.json'))('onnxruntime-node')
}

async function withNodeRuntime(folder, model, paths, wanted) {
  const { InferenceSession, Tensor } = nodeRuntime()
  const [height, width] = model.config.imageSize
  const { mean, std } = model.config
  const input = new Float32Array(count * 3 * height * width)
  for (const [i, path] of paths.entries()) {
    const pixels = await sharp(path).removeAlpha().raw().toBuffer()
    for (let at = 0; at < height * width; at++) {
      for (let c = 0; c < 3; c++) input[(i * 3 + c) * height * width + at] = (pixels[at * 3 + c] / 255 - mean[c]) / std[c]
    }
  }
  const session = await InferenceSession.create(join(folder, 'encoder.onnx'))
  const { cls, patches } = await session.run({ pixel_values: new Tensor('float32', input, [count, 3, height, width]) })
  const [, tokens, dim] = wanted.shape
  let difference = 0
  for (let i = 0; i < count; i++) {
    for (let at = 0; at < tokens * dim; at++) {
      const theirs = at < dim ? cls.data[i * dim + at] : patches.data[i * (tokens - 1) * dim + at - dim]
      difference = Math.max(difference, Math.abs(theirs - wanted.data[i * tokens * dim + at]))
    }
  }
  await session.release()
  return { images: count, difference }
}

async function main() {
  const [path] = process.argv.slice(2)
  const model = path === undefined ? await randomModel() : await ContextAutoencoder.load(path, { device: 'cpu' })
  const paths = await writePictures(model.config)
  const wanted = await model.encode(paths)
  const features = join(work, 'wanted.safetensors')
  await writeSafetensors(features, [{ name: 'features', dtype: 'F32', ...wanted }])
  const python_ = (format, folder) =>
    JSON.parse(run(python, [join(import.meta.dirname, 'exported_features.py'), format, folder, work, features]))
  const runtimes = [
    ['timm', 'timm', python_],
    ['huggingface', 'transformers', python_],
    ['onnx', 'onnxruntime', python_],
    ['onnx', 'onnxruntime-node', (_, folder) => withNodeRuntime(folder, model, paths, wanted)],
  ]
  for (const [format, runtime, compare] of runtimes) {
    const folder = join(work, format)
    await exportModel(model.encoder, { format, out: folder })
    const { images, difference } = await compare(format, folder)
    const isOk = difference <= tolerance
    console.log(
      `${isOk ? 'ok  ' : 'FAIL'} ${runtime}: largest difference ${difference.toExponential(2)} on ${images} pictures (tolerance ${tolerance})`,
    )
    if (!isOk) process.exitCode = 1
  }
  await model.dispose()
}

try {
  await main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
