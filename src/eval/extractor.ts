import { loadAddon } from '../native/load.js'
import type { BatchHandle, F32Tensor, ModelHandle, PooledFeatures } from '../native/types.js'

/** The images that something looks at: their size in pixels, and how their colours are normalised. */
export interface InputSpec {
  /** `[height, width]`. */
  readonly imageSize: readonly [number, number]
  /** Of each colour channel, of pixels from 0 to 1. */
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/** How features are computed. */
export interface ExtractOptions {
  /** The class token, or the mean of the patch tokens. */
  readonly feature: keyof PooledFeatures
  readonly precision: 'fp32' | 'bf16'
}

/** Whatever turns images into one vector each: what an evaluation measures. */
export interface FeatureExtractor {
  readonly input: InputSpec
  /** Where it runs, and where a probe on its features runs. */
  readonly device: string
  /** One vector an image: `[B, C]`. */
  extract(batch: BatchHandle, options: ExtractOptions): Promise<F32Tensor>
}

/** A loaded encoder, as much of it as evaluations use. */
export interface EncoderLike {
  readonly config: InputSpec
  readonly device: string
  readonly handle: { get(): ModelHandle }
}

/** The features of an encoder. */
export function encoderFeatures(encoder: EncoderLike): FeatureExtractor {
  return {
    input: encoder.config,
    device: encoder.device,
    async extract(batch, { feature, precision }) {
      const addon = await loadAddon()
      return (await addon.modelFeatures(encoder.handle.get(), batch, precision))[feature]
    },
  }
}

/** ImageNet's, as all models of this package use by default. */
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const

/**
 * The normalised pixels themselves as features: the floor that an encoder has to rise above. The options `feature` and `precision` have no
 * effect on it.
 * @param imageSize in pixels; a number for square images
 * @example
 * const floor = await evaluate(rawPixels(32), { task: 'knn', train: 'cifar10/train', test: 'cifar10/test' })
 */
export function rawPixels(
  imageSize: number | readonly [number, number],
  colours: Omit<InputSpec, 'imageSize'> = imagenet,
): FeatureExtractor {
  const size = typeof imageSize === 'number' ? ([imageSize, imageSize] as const) : imageSize
  return {
    input: { imageSize: size, mean: colours.mean, std: colours.std },
    device: 'cpu',
    async extract(batch) {
      const addon = await loadAddon()
      const { images } = await addon.readBatch(batch)
      const [count = 0] = images.shape
      const data = images.data instanceof Float32Array ? images.data : Float32Array.from(images.data)
      return { data, shape: [count, count === 0 ? 0 : data.length / count] }
    },
  }
}
