// The demo: trains a small Context Autoencoder on pictures of emoji and shows what it learned. Uses the package as its users do, by its name.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { CaeError, decodeImage, subset, terminalProgress, trainCAE } from '@cae/torch'

const root = join(import.meta.dirname, '..')
const data = join(root, 'node_modules/@lobehub/fluent-emoji-3d/assets')
const white = '#ffffff' // emoji are mostly transparent: they are put on white

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'runs/demo') },
    steps: { type: 'string' },
    fresh: { type: 'boolean', default: false },
  },
})
const out = relative(process.cwd(), flags.out) || '.'

/** Removes an earlier demo, and nothing that is not one. */
function removeDemo() {
  if (!existsSync(out)) return
  if (!isDemo())
    throw new CaeError('ERR_CAE_OPTION', { what: 'this folder is not of the demo: it is left alone', where: out, todo: 'another --out' })
  rmSync(out, { recursive: true })
}

function isDemo() {
  try {
    return JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')).train.recipe === 'demo'
  } catch {
    return false
  }
}

/** Trains, or goes on where an earlier demo was stopped. */
async function train(signal) {
  const steps = flags.steps === undefined ? {} : { steps: Number(flags.steps) }
  const run = trainCAE({ data, out, recipe: 'demo', resume: 'auto', signal, ...steps })
  const progress = terminalProgress()
  let wasDone = false
  try {
    for await (const event of run) {
      if (event.type === 'start') wasDone = event.startStep === event.steps
      progress.onEvent(event)
    }
    return { ...(await run), wasDone }
  } finally {
    progress.close()
  }
}

/**
 * How well hidden patches are predicted (`masked`), and whole images from the encoder's output alone (`full`), over images that the training
 * never saw. In dB, from the mean squared error of all of them together.
 */
async function measure(model, images) {
  const batchSize = 64
  const errors = { masked: 0, full: 0 }
  for (let from = 0; from < images.length; from += batchSize) {
    const indices = Array.from({ length: Math.min(batchSize, images.length - from) }, (_, at) => from + at)
    const batch = await Promise.all(
      indices.map(async (index) => ({ ...(await decodeImage(await images.get(index), { alpha: white })), channels: 3 })),
    )
    for (const path of ['masked', 'full']) {
      const { mse } = await model.reconstruct(batch, { path, seed: from })
      errors[path] += (mse * batch.length) / images.length
    }
  }
  const decibels = (mse) => `${(10 * Math.log10(1 / mse)).toFixed(1)} dB`
  return { masked: decibels(errors.masked), full: decibels(errors.full) }
}

function timeText(ms) {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

async function main() {
  if (flags.fresh) removeDemo()
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort(new Error('stopped by Ctrl-C')))

  const started = performance.now()
  const { model, summary, heldOut, wasDone } = await train(stop.signal)
  const trained = performance.now()
  const images = subset(
    heldOut,
    Array.from({ length: Math.min(256, heldOut.length) }, (_, index) => index),
  )
  const quality = await measure(model, images)
  await model.dispose()
  const measured = performance.now()

  console.log(`
What it learned, measured on ${images.length} images that were kept out of training (PSNR, more is better):
  ${quality.masked}   hidden patches, predicted from the visible ones
  ${quality.full}   alignment picture: encoder straight into decoder

What was made, in ${out}/
  images/reconstruction.png    original, masked input, reconstruction, alignment picture
  images/loss.png              how the losses fell over ${summary.steps} steps
  checkpoints/latest/          the weights: ContextAutoencoder.load('${out}')
  metrics.jsonl, tensorboard/  every step, as lines and as curves

Time: ${wasDone ? 'trained earlier' : `training ${timeText(trained - started)} (${Math.round(summary.imagesPerSecond)} images/s)`}, measuring ${timeText(measured - trained)}
${wasDone ? 'To train it anew: npm run demo -- --fresh\n' : ''}
The same for your own photos:
  npx cae-torch pretrain PHOTOS --out runs/photos --recipe demo --holdout 16`)
}

main().catch((error) => {
  if (error?.message === 'stopped by Ctrl-C') {
    console.error('stopped; the same command goes on from here')
    process.exitCode = 130
    return
  }
  console.error(error instanceof CaeError ? `${error.code}: ${error.message}` : error)
  if (error instanceof CaeError && error.code === 'ERR_CAE_OPTION' && !flags.fresh)
    console.error('  an earlier demo that no longer fits is removed by: npm run demo -- --fresh')
  process.exitCode = error?.exitCode ?? 1
})
