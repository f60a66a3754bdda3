import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { Tokenizer } from '../../src/api/tokenizer.js'
import { trainTokenizer } from '../../src/api/train-tokenizer.js'
import { drawImage } from '../support/images.js'
import { resultsOf, runTo } from '../support/stopped-runs.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyLight, tinyTokenizer, tinyTokenizerRun } from '../support/tiny-tokenizer.js'

jest.setTimeout(60_000)

const folder = temporaryFolder()
const out = (name = 'run') => join(folder(), name)
test('leaves a folder like that of any run, with numbers and a picture of images kept out of training', async () => {
  const seen = await runTo(trainTokenizer, undefined, tinyTokenizerRun(out(), { holdout: 5, figureEvery: 4 }))
  const { metrics } = await resultsOf(out())
  expect(metrics.filter((line) => 'loss' in line)).toHaveLength(8)
  expect(Object.keys(metrics[0] ?? {}).slice(2, 7)).toEqual(['loss', 'nll_bits', 'loss_kl', 'kl', 'perplexity'])
  const measured = seen.filter((event) => event.type === 'measure')
  expect(measured.map(({ step }) => step)).toEqual([4, 8])
  expect(Object.keys(measured[0]?.metrics ?? {}).sort()).toEqual(['kl', 'nll_bits', 'perplexity', 'psnr', 'soft_perplexity', 'used_codes'])
  expect(metrics.filter((line) => 'heldout_psnr' in line).map(({ step, heldout_psnr: psnr }) => [step, psnr])).toEqual(
    measured.map(({ step, metrics: { psnr } }) => [step, psnr]),
  )
  expect(await readdir(join(out(), 'images'))).toEqual(['loss.png', 'reconstruction-step-4.png', 'reconstruction.png'])

  await using tokenizer = await Tokenizer.load(out(), { device: 'cpu' })
  expect(tokenizer.config).toMatchObject({ vocabSize: 12, imageSize: [16, 16] })
  expect((await tokenizer.encode(drawImage(1))).shape).toEqual([1, 2, 2])
})

test.each([
  ["DALL-E's", { model: tinyTokenizer }],
  ['the light one', { model: tinyLight }],
  ['with accumulation, in bf16', { model: tinyTokenizer, microBatchSize: 2, precision: 'bf16' }],
] as const)('%s: a stop and a resume give the bits of an unbroken run', async (_, change) => {
  const options = (name: string) => tinyTokenizerRun(out(name), { ...change, checkpointEvery: 3 })
  await runTo(trainTokenizer, undefined, options('whole'))
  await runTo(trainTokenizer, 5, options('parts'))
  await runTo(trainTokenizer, undefined, options('parts'))
  expect(await resultsOf(out('parts'))).toEqual(await resultsOf(out('whole')))
})

test('the loss falls', async () => {
  const seen = await runTo(trainTokenizer, undefined, tinyTokenizerRun(out(), { steps: 150, lr: 1e-2 }))
  const losses = seen.flatMap((event) => (event.type === 'step' ? [event.metrics.loss ?? Number.NaN] : []))
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  expect(mean(losses.slice(-10))).toBeLessThan(mean(losses.slice(0, 10)) - 0.15)
})

test('a codebook that has collapsed ends the run with advice', async () => {
  // A KL term that leaves the codes no information at all.
  const run = trainTokenizer(tinyTokenizerRun(out(), { model: { ...tinyTokenizer, betaEnd: 1e4, betaShare: 0.01 }, steps: 400, lr: 3e-2 }))
  await expect(run).rejects.toMatchObject({
    code: 'ERR_CAE_DIVERGED',
    exitCode: 5,
    message: expect.stringMatching(/codebook has collapsed[\s\S]*step \d+[\s\S]*betaEnd[\s\S]*lr/),
  })
})

test('options are those of the preset where nothing else is said', async () => {
  await runTo(trainTokenizer, undefined, tinyTokenizerRun(out(), { steps: 2 }))
  const { train, model } = JSON.parse(await readFile(join(out(), 'config.json'), 'utf8'))
  expect(train).toMatchObject({ method: 'dvae', lr: 1e-3, weightDecay: 1e-4, scaleMin: 0.6, batchSize: 4 })
  expect(model).toMatchObject({ hiddenDim: 4, vocabSize: 12, tauEnd: 1 / 16 })
})

test.each([
  [{ model: 'dvae-nan' }, /tokenizer preset 'dvae-nan' is unknown/],
  [{ model: { preset: 'dvae-nano', imageSize: 20 } }, /imageSize 20x20 is not a multiple of the 8 pixels/],
  [{ model: { preset: 'dvae-nano', codebookDim: 20 } }, /'model.codebookDim' is unknown/],
  [{ recipe: 'demo' }, /recipe/],
  [{ vocabSize: 20 }, /does not belong here/],
] as const)('%j is refused, and nothing is written', async (change, message) => {
  await expect(trainTokenizer(tinyTokenizerRun(out(), change as object))).rejects.toMatchObject({
    code: 'ERR_CAE_OPTION',
    message: expect.stringMatching(message),
  })
  expect(await readdir(folder())).toEqual([])
})
