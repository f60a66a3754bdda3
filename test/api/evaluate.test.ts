import { evaluate, knn, linearProbe } from '../../src/api/evaluate.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import type { Dataset } from '../../src/data/dataset.js'
import { type FeatureExtractor, rawPixels } from '../../src/eval/extractor.js'
import type { EvalProgress } from '../../src/eval/task.js'
import { colouredImages } from '../support/labelled-images.js'
import { tinyModel } from '../support/tiny-model.js'

const train = colouredImages({ length: 48, classes: 4, size: 16, seed: 1, noise: 0.6 })
const test_ = colouredImages({ length: 24, classes: 4, size: 16, seed: 2, noise: 0.6 })
const data = { train, test: test_ }
const pixels = rawPixels(16)

let model: ContextAutoencoder
beforeAll(async () => {
  model = await ContextAutoencoder.create({ ...tinyModel, imageSize: 16, depth: 1 })
})
afterAll(() => model.dispose())

test.each(['cls', 'avg'] as const)('k-NN on the %s feature of an encoder tells colours apart', async (feature) => {
  const result = await evaluate(model.encoder, { task: 'knn', ...data, feature, k: 5, encodeBatch: 7 })
  expect(result).toMatchObject({ task: 'knn', feature, k: 5, classes: 4, trainImages: 48, testImages: 24, badImages: [], top5: 100 })
  expect(result.accuracy).toBeGreaterThan(90)
  expect(result.perK[5]).toEqual({ accuracy: result.accuracy, top5: result.top5 })
  expect(Object.keys(result.perK)).toEqual(['5', '10', '20'])
})

test('neither batch size nor the order of the queries changes a figure', async () => {
  const figures = async (encodeBatch: number, set: Dataset) => {
    const { accuracy, perK } = await knn(pixels, { train, test: set, encodeBatch })
    return { accuracy, perK }
  }
  const last = test_.length - 1
  const reversed: Dataset = { length: test_.length, get: (i) => test_.get(last - i), label: (i) => test_.label?.(last - i) }
  expect(await figures(5, test_)).toEqual(await figures(64, reversed))
})

test('a linear probe on cached features finds its rate without the test set', async () => {
  const stages: EvalProgress[] = []
  const options = { ...data, epochs: 25, warmupEpochs: 1, batchSize: 16, onProgress: (progress: EvalProgress) => stages.push(progress) }
  const result = await linearProbe(model.encoder, options)
  expect(result).toMatchObject({ task: 'linear', views: 'cached', classes: 4, epochs: 25, batchSize: 16 })
  expect(result.triedRates.map(({ lr }) => lr)).toContain(result.lr)
  expect(result.accuracy).toBeGreaterThan(90)
  const other = await linearProbe(model.encoder, {
    ...options,
    test: colouredImages({ length: 8, classes: 4, size: 16, seed: 9, noise: 1 }),
  })
  expect(other.triedRates).toEqual(result.triedRates)
  expect(
    stages
      .filter(({ done, total }) => done === total)
      .map(({ stage }) => stage)
      .slice(0, 3),
  ).toEqual(['test-features', 'train-features', 'probe'])
})

test('a linear probe on random views sees each image anew in every epoch', async () => {
  let extracted = 0
  const counting: FeatureExtractor = {
    ...pixels,
    async extract(batch, options) {
      const features = await pixels.extract(batch, options)
      extracted += features.shape[0] ?? 0
      return features
    },
  }
  const result = await linearProbe(counting, { ...data, views: 'random', epochs: 20, warmupEpochs: 1, batchSize: 20, lr: 25.6 })
  expect(extracted).toBe(24 + 20 * 40) // the last 8 of 48 fill no batch
  expect(result).toMatchObject({ views: 'random', lr: 25.6, triedRates: [] })
  expect(result.accuracy).toBeGreaterThan(60)
})

test('the rate of random views follows the batch', async () => {
  const result = await linearProbe(pixels, { ...data, views: 'random', epochs: 1, warmupEpochs: 0, batchSize: 24 })
  expect(result.lr).toBeCloseTo(0.1 * (24 / 256))
})

const unlabelled: Dataset = { length: 2, get: train.get }
const others: Dataset = { ...test_, classes: ['class 0', 'class 1', 'class 2', 'zebra'] }
const broken: Dataset = { ...train, get: (index) => (index < 2 ? Uint8Array.of(1, 2, 3) : train.get(index)) }

test.each([
  ['an unknown task', { task: 'knnn', ...data }, 'ERR_CAE_OPTION', /task 'knnn' is unknown[\s\S]*'knn'/],
  ['a misspelt option', { task: 'knn', ...data, temprature: 1 }, 'ERR_CAE_OPTION', /temprature[\s\S]*temperature/],
  ['an option of another task', { task: 'knn', ...data, epochs: 3 }, 'ERR_CAE_OPTION', /epochs/],
  ['no test images', { task: 'knn', train }, 'ERR_CAE_OPTION', /test is missing/],
  ['more neighbours than images', { task: 'knn', ...data, k: 49 }, 'ERR_CAE_OPTION', /k is 49, there are only 48/],
  ['a batch larger than the set', { task: 'linear', ...data, batchSize: 49 }, 'ERR_CAE_OPTION', /batchSize is 49/],
  [
    'a warm-up as long as the training',
    { task: 'linear', ...data, batchSize: 8, epochs: 2, warmupEpochs: 2 },
    'ERR_CAE_OPTION',
    /warmupEpochs is 2/,
  ],
  ['images without classes', { task: 'knn', k: 1, train: unlabelled, test: test_ }, 'ERR_CAE_DATA', /no class[\s\S]*#0/],
  ['other classes in test', { task: 'knn', train, test: others }, 'ERR_CAE_DATA', /not the same: class 3, zebra/],
  ['a missing folder', { task: 'knn', train: 'no/such/folder', test: test_ }, 'ERR_CAE_DATA', /no\/such\/folder/],
  ['too many bad images', { task: 'knn', train: broken, test: test_, maxBadFraction: 0 }, 'ERR_CAE_DATA', /maxBadFraction/],
])('refuses %s', async (_, options, code, says) => {
  const wrong = options as unknown as Parameters<typeof evaluate<'knn'>>[1]
  await expect(evaluate(pixels, wrong)).rejects.toMatchObject({ code, message: expect.stringMatching(says) })
})

test('refuses what is neither encoder nor extractor', async () => {
  await expect(evaluate({} as unknown as FeatureExtractor, { task: 'knn', ...data })).rejects.toMatchObject({ code: 'ERR_CAE_OPTION' })
})

test('leaves bad images out, and names them', async () => {
  const { trainImages, badImages } = await knn(pixels, { train: broken, test: test_, maxBadFraction: 0.1 })
  expect(trainImages).toBe(46)
  expect(badImages.map(({ index }) => index)).toEqual([0, 1])
})

test('features that are not finite end it, naming the image', async () => {
  const diverged: FeatureExtractor = {
    ...pixels,
    extract: async (batch, options) => ({
      data: new Float32Array((await pixels.extract(batch, options)).data.length).fill(Number.NaN),
      shape: [0, 768],
    }),
  }
  await expect(knn(diverged, data)).rejects.toMatchObject({ code: 'ERR_CAE_DIVERGED', message: expect.stringContaining('#0') })
})

test.each(['knn', 'linear'] as const)('an abort ends %s with the reason', async (task) => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const onProgress = () => controller.abort(reason)
  const options = { ...data, encodeBatch: 8, signal: controller.signal, onProgress }
  await expect(task === 'knn' ? knn(pixels, options) : linearProbe(pixels, { ...options, batchSize: 8 })).rejects.toBe(reason)
})
