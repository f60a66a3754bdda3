import type { EmbedConfig } from '../config/eval.js'
import type { BadImage } from '../data/bad-images.js'
import type { Dataset } from '../data/dataset.js'
import { loadAddon } from '../native/load.js'
import type { BatchHandle, ModelHandle } from '../native/types.js'
import type { EncoderLike } from './extractor.js'
import { centreBatches } from './image-batches.js'

/** An encoder with the sizes that decide what its features look like. */
export interface SizedEncoder extends EncoderLike {
  readonly config: EncoderLike['config'] & { readonly patchSize: number; readonly embedDim: number }
}

export interface FeatureRowsOptions {
  readonly dataset: Dataset
  readonly config: EmbedConfig
  readonly onBad: (record: BadImage) => void
  readonly onImages?: ((done: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Shape of the features of one image: `[D]`, or `[N, D]` for patches. */
export function featureShape({ config }: SizedEncoder, feature: EmbedConfig['feature']): readonly number[] {
  if (feature !== 'patches') return [config.embedDim]
  const [height, width] = config.imageSize
  return [(height / config.patchSize) * (width / config.patchSize), config.embedDim]
}

/**
 * Features of every image of a data set, a batch at a time, in its order. A row belongs to the image of the same number whatever happens: that
 * of an image that cannot be used is NaN.
 */
export async function* featureRows(encoder: SizedEncoder, options: FeatureRowsOptions): AsyncGenerator<Float32Array> {
  const { dataset, config, onImages } = options
  const size = featureShape(encoder, config.feature).reduce((product, length) => product * length, 1)
  let next = 0
  for await (const { handle, indices } of centreBatches({ ...options, input: encoder.config })) {
    const features = await encodeBatch(encoder.handle.get(), handle, config)
    const end = (indices.at(-1) ?? next - 1) + 1
    const rows = new Float32Array((end - next) * size).fill(Number.NaN)
    for (const [place, index] of indices.entries()) rows.set(features.subarray(place * size, (place + 1) * size), (index - next) * size)
    yield rows
    next = end
    onImages?.(next)
  }
  if (next < dataset.length) yield new Float32Array((dataset.length - next) * size).fill(Number.NaN)
}

async function encodeBatch(model: ModelHandle, batch: BatchHandle, { feature, precision }: EmbedConfig): Promise<Float32Array> {
  const addon = await loadAddon()
  if (feature !== 'patches') return (await addon.modelFeatures(model, batch, precision))[feature].data
  const { data, shape } = await addon.modelEncodeBatch(model, batch, precision)
  const [count = 0, tokens = 0, dim = 0] = shape
  const patches = new Float32Array(count * (tokens - 1) * dim)
  for (let image = 0; image < count; image++) {
    // The class token comes first.
    patches.set(data.subarray((image * tokens + 1) * dim, (image + 1) * tokens * dim), image * (tokens - 1) * dim)
  }
  return patches
}
