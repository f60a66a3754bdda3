import { type LinearConfig, linearFields } from '../config/eval.js'
import type { BadImage } from '../data/bad-images.js'
import { CaeError } from '../errors.js'
import type { ProbeMetrics } from '../native/types.js'
import { bestRate, type CachedTraining, heldOutRows, stepsOn, type TriedRate, trainOnBank, triedRates, tryRates } from './cached-probe.js'
import { checkLabels, commonClasses, type FeatureBank, makeFeatureBank } from './feature-bank.js'
import { randomBatches } from './image-batches.js'
import { createProbe, type Probe } from './probe.js'
import { checkWarmup, probeRate } from './probe-schedule.js'
import type { EvalContext, EvalResult, EvalTask } from './task.js'

export interface LinearResult extends EvalResult {
  readonly task: 'linear'
  readonly feature: LinearConfig['feature']
  readonly views: LinearConfig['views']
  /** Learning rate after warm-up. */
  readonly lr: number
  /** Rates tried on held-out training images to find `lr`; empty where it was given. */
  readonly triedRates: readonly TriedRate[]
  readonly epochs: number
  readonly batchSize: number
  /** Of the last epoch's steps: mean loss, and share of training samples classified rightly, in percent. */
  readonly trainLoss: number
  readonly trainAccuracy: number
}

/** A linear classifier on frozen features (spec/downstream.md 3). */
export const linearTask: EvalTask<'linear', typeof linearFields, LinearResult> = { name: 'linear', fields: linearFields, run: runLinear }

async function runLinear(context: EvalContext, config: LinearConfig): Promise<LinearResult> {
  const began = performance.now()
  checkWarmup(config)
  checkBatch(config.batchSize, context.train.length)
  const test = await bankOf(context, config, 'test')
  const trained = await (config.views === 'cached' ? trainCached : trainOnViews)(context, config, test)
  await using probe = trained.probe
  const { feature, views, epochs, batchSize } = config
  return {
    task: 'linear',
    ...(await probe.accuracy(test, context.signal)),
    feature,
    views,
    lr: trained.lr,
    triedRates: trained.tried,
    epochs,
    batchSize,
    ...trained.lastEpoch(),
    classes: trained.classes,
    trainImages: trained.images,
    testImages: test.labels.length,
    badImages: [...trained.badImages, ...test.badImages],
    seconds: (performance.now() - began) / 1000,
  }
}

interface Trained extends Pick<LinearResult, 'classes' | 'badImages' | 'lr'> {
  readonly probe: Probe
  readonly images: number
  readonly tried: readonly TriedRate[]
  lastEpoch(): Pick<LinearResult, 'trainLoss' | 'trainAccuracy'>
}

/** Every training image encoded once, from its middle. */
async function trainCached(context: EvalContext, config: LinearConfig, test: FeatureBank): Promise<Trained> {
  const bank = await bankOf(context, config, 'train')
  const classes = commonClasses(context.train, context.test, [bank.labels, test.labels])
  checkBatch(config.batchSize, bank.labels.length)
  const rows = bank.labels.length
  const trying = config.lr === 'auto' ? triedRates.length * stepsOn(rows - heldOutRows(rows), config) : 0
  const count = meter(context, trying + stepsOn(rows, config), stepsOn(rows, { ...config, epochs: 1 }))
  const training: CachedTraining = {
    ...config,
    shape: { featureDim: bank.features.shape[1] ?? 0, classes, seed: config.seed, device: context.extractor.device },
    signal: context.signal,
    onStep: count.onStep,
  }
  const tried = config.lr === 'auto' ? await tryRates(bank, training) : []
  const lr = config.lr === 'auto' ? bestRate(tried) : config.lr
  const probe = await trainOnBank(bank, lr, training)
  return { probe, lr, tried, classes, images: bank.labels.length, badImages: bank.badImages, lastEpoch: count.lastEpoch }
}

/** A fresh random view of every training image in every epoch, each encoded when its turn comes. */
async function trainOnViews(context: EvalContext, config: LinearConfig, test: FeatureBank): Promise<Trained> {
  const { extractor, train, signal } = context
  const { epochs, batchSize, seed, weightDecay } = config
  const lr = config.lr === 'auto' ? (0.1 * batchSize) / 256 : config.lr
  const classes = commonClasses(train, context.test, [labelsOf(train), test.labels])
  const steps = Math.floor(train.length / batchSize)
  const count = meter(context, epochs * steps, steps)
  const badImages: BadImage[] = []
  const shape = { featureDim: test.features.shape[1] ?? 0, classes, seed, device: extractor.device }
  const probe = await createProbe(shape)
  try {
    const options = {
      dataset: train,
      input: extractor.input,
      config,
      signal,
      onBad: (record: BadImage) => badImages.push(record),
    }
    let step = 0
    for await (const batch of randomBatches(options, { epochs, batchSize, seed })) {
      checkLabels(batch.labels, batch.indices, train)
      const features = await extractor.extract(batch.handle, config)
      const rate = probeRate({ ...config, lr }, step++ / steps)
      count.onStep(await probe.step(features, batch.labels, { lr: rate, weightDecay }))
    }
    return { probe, lr, tried: [], classes, images: train.length - badImages.length, badImages, lastEpoch: count.lastEpoch }
  } catch (error) {
    await probe[Symbol.asyncDispose]()
    throw error
  }
}

function bankOf(
  { extractor, train, test, signal, onProgress }: EvalContext,
  config: LinearConfig,
  which: 'train' | 'test',
): Promise<FeatureBank> {
  const dataset = which === 'train' ? train : test
  const { feature, precision } = config
  return makeFeatureBank(extractor, {
    dataset,
    config,
    feature,
    precision,
    normalize: false,
    signal,
    onImages: (done) => onProgress?.({ stage: `${which}-features`, done, total: dataset.length }),
  })
}

/** Counts steps for the progress, and keeps the metrics of the last epoch. */
function meter({ onProgress }: EvalContext, total: number, stepsPerEpoch: number) {
  let done = 0
  const recent: ProbeMetrics[] = []
  return {
    onStep(metrics: ProbeMetrics) {
      if (recent.push(metrics) > stepsPerEpoch) recent.shift()
      onProgress?.({ stage: 'probe', done: ++done, total })
    },
    lastEpoch() {
      const mean = (of: (metrics: ProbeMetrics) => number) => recent.reduce((sum, metrics) => sum + of(metrics), 0) / recent.length
      return { trainLoss: mean(({ loss }) => loss), trainAccuracy: 100 * mean(({ accuracy }) => accuracy) }
    },
  }
}

function labelsOf(dataset: EvalContext['train']): Int32Array {
  return Int32Array.from({ length: dataset.length }, (_, index) => dataset.label?.(index) ?? -1)
}

function checkBatch(batchSize: number, images: number): void {
  if (batchSize <= images) return
  throw new CaeError('ERR_CAE_OPTION', {
    what: `batchSize is ${batchSize}, there are only ${images} training images`,
    todo: `a batchSize of at most ${images}`,
  })
}
