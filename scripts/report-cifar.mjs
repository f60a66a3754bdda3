// What pre-training taught an encoder, on CIFAR-10 or any labelled set of its size: k-NN and linear probe of the trained encoder, of the same
// encoder untrained, and of the raw pixels.
//   node scripts/report-cifar.mjs RUN --data CIFAR [--out FOLDER] [--lr 6.4] [--seed 0]
//   node scripts/report-cifar.mjs --random --model '{"imageSize":32,"patchSize":4,"embedDim":192,"depth":6,"numHeads":6}' --data CIFAR
// CIFAR holds train/ and test/ with one folder a class. Prints a Markdown table; --out writes it with all figures to report.md and report.json.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CaeError, ContextAutoencoder, imageFolder, knn, linearProbe, rawPixels } from '@cae/torch'

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    random: { type: 'boolean', default: false },
    model: { type: 'string' },
    lr: { type: 'string', default: 'auto' },
    seed: { type: 'string', default: '0' },
  },
})

/** @typedef {{ encoder: string, feature: string, knn: import('@cae/torch').KnnResult, linear: import('@cae/torch').LinearResult }} Row */

function usage(what, todo) {
  return new CaeError('ERR_CAE_OPTION', { what, todo })
}

/** The model of the run, and the same one with fresh weights. */
async function models(seed) {
  const [run] = positionals
  if (run === undefined && !flags.random) throw usage('there is no run to report on', 'RUN, or --random with --model')
  if (run === undefined) return { untrained: await ContextAutoencoder.create(JSON.parse(flags.model ?? '{}'), { seed }) }
  const trained = await ContextAutoencoder.load(run)
  return { untrained: await ContextAutoencoder.create(trained.config, { seed }), ...(!flags.random && { trained }) }
}

/** @param feature 'pixels' has no choice of its own: the extractor knows one feature alone */
async function measure(encoder, extractor, feature, images) {
  const began = performance.now()
  const data = feature === 'pixels' ? images : { ...images, feature }
  const lr = flags.lr === 'auto' ? 'auto' : Number(flags.lr)
  /** @type {Row} */
  const row = {
    encoder,
    feature,
    knn: await knn(extractor, { ...data, k: 20, temperature: 0.07 }),
    linear: await linearProbe(extractor, { ...data, lr, seed: Number(flags.seed) }),
  }
  process.stderr.write(`${encoder} ${feature}: ${((performance.now() - began) / 1000).toFixed(0)} s\n`)
  return row
}

/** @param {readonly Row[]} rows */
function markdown(rows) {
  const percent = (value) => value.toFixed(1)
  const lines = rows.map(({ encoder, feature, knn, linear }) =>
    [encoder, feature, percent(knn.accuracy), percent(linear.accuracy), percent(linear.trainAccuracy), String(linear.lr)].join(' | '),
  )
  const head = ['encoder', 'feature', 'k-NN %', 'linear %', 'linear, on its training images %', 'learning rate']
  return [head.join(' | '), head.map(() => '---').join(' | '), ...lines].map((line) => `| ${line} |`).join('\n')
}

async function main() {
  if (flags.data === undefined) throw usage('there are no images', '--data, a folder with train/ and test/')
  const data = { train: await imageFolder(join(flags.data, 'train')), test: await imageFolder(join(flags.data, 'test')) }
  const { trained, untrained } = await models(Number(flags.seed))
  const rows = [await measure('none', rawPixels(untrained.config.imageSize, untrained.config), 'pixels', data)]
  for (const feature of ['cls', 'avg']) rows.push(await measure('untrained', untrained.encoder, feature, data))
  if (trained) for (const feature of ['cls', 'avg']) rows.push(await measure('trained', trained.encoder, feature, data))
  const { trainImages, testImages } = rows[0].knn
  const text = `${markdown(rows)}

${trainImages} training and ${testImages} test images. k-NN: k = 20, T = 0.07. Linear probe: LARS on cached features of the images' middle, 90 epochs${
    flags.lr === 'auto' ? '; the learning rate is the best of six on a tenth of the training images' : ''
  }.`
  console.log(text)
  if (flags.out === undefined) return
  mkdirSync(flags.out, { recursive: true })
  writeFileSync(join(flags.out, 'report.md'), `${text}\n`)
  writeFileSync(
    join(flags.out, 'report.json'),
    `${JSON.stringify({ run: positionals[0] ?? null, model: untrained.config, rows }, null, 1)}\n`,
  )
}

await main().catch((error) => {
  console.error(error instanceof CaeError ? error.message : error)
  process.exitCode = error instanceof CaeError ? error.exitCode : 1
})
