import type { EncodeConfig } from '../config/eval.js'
import type { BadImage } from '../data/bad-images.js'
import type { Dataset } from '../data/dataset.js'
import { createLoader, type LoadedBatch } from '../data/loader.js'
import { loadAddon } from '../native/load.js'
import type { CollateSpec } from '../native/types.js'
import type { InputSpec } from './extractor.js'

/** Memory for batches made ahead; an encoder is slower than any loader, so a few are enough. */
const prefetchBytes = 64 * 2 ** 20

/** Images on their way through an encoder. */
export interface BatchesOptions {
  readonly dataset: Dataset
  readonly input: InputSpec
  readonly config: EncodeConfig
  readonly onBad?: ((record: BadImage) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Every image once, in order, from its middle (spec/downstream.md 2.1): short side to 256/224 of the input's, images of the input's size as they are. */
export function centreBatches(options: BatchesOptions): AsyncGenerator<LoadedBatch> {
  const [height, width] = options.input.imageSize
  return batches(options, {
    epochs: 1,
    seed: 0,
    batchSize: Math.min(options.config.encodeBatch, options.dataset.length),
    order: 'sequential',
    dropLast: false,
    cacheBytes: 'off',
    view: { crop: 'center', resizeShort: Math.max(height, width, Math.round((Math.min(height, width) * 256) / 224)), flip: 0 },
  })
}

/** Training views of a linear probe: one try at a random crop, and a mirror image every other time (spec/downstream.md 3.2). */
export function randomBatches(
  options: BatchesOptions,
  { epochs, batchSize, seed }: { readonly epochs: number; readonly batchSize: number; readonly seed: number },
): AsyncGenerator<LoadedBatch> {
  const view = { crop: 'random-one-try', resizeShort: 0, flip: 0.5 } as const
  return batches(options, { epochs, seed, batchSize, order: 'shuffled', dropLast: true, cacheBytes: 'auto', view })
}

interface Visit {
  readonly epochs: number
  readonly seed: number
  readonly batchSize: number
  readonly order: 'shuffled' | 'sequential'
  readonly dropLast: boolean
  readonly cacheBytes: 'auto' | 'off'
  readonly view: Pick<CollateSpec, 'crop' | 'resizeShort' | 'flip'>
}

/** Batches whose handles are freed when the next one is asked for, or when the consumer stops. */
async function* batches({ dataset, input, config, onBad, signal }: BatchesOptions, visit: Visit): AsyncGenerator<LoadedBatch> {
  const addon = await loadAddon()
  const [height, width] = input.imageSize
  const { view, ...order } = visit
  const { alpha, exif, maxPixels, readTimeout, maxBadFraction } = config
  await using loader = createLoader({
    addon,
    dataset,
    ...order,
    alpha,
    exif,
    maxPixels,
    readTimeout,
    maxBadFraction,
    prefetchBytes,
    signal,
    ...(onBad && { onBad }),
    collate: {
      ...view,
      height,
      width,
      viewHeight: 0,
      viewWidth: 0,
      viewInterpolation: 'bicubic',
      scaleMin: 0.08,
      scaleMax: 1,
      ratioMin: 3 / 4,
      ratioMax: 4 / 3,
      interpolation: 'bicubic',
      mean: input.mean,
      std: input.std,
      mask: null,
    },
  })
  for await (const batch of loader) {
    try {
      yield batch
    } finally {
      await addon.dispose(batch.handle)
    }
  }
}
