import { type EncoderConfig, maskSpec, patchGrid } from '../config/model.js'
import { TimeSlice } from '../data/time-slice.js'
import { CaeError } from '../errors.js'
import type { ModelConfig } from '../methods/resolve.js'
import type { BatchTensors, F32Tensor, U8Tensor } from '../native/types.js'
import type { NativeModel } from './native-model.js'
import { reconstructTokens } from './reconstruct-tokens.js'
import { createBatch, type Images } from './tensors.js'
import type { Tokenizer } from './tokenizer.js'

/** What is reconstructed, and how. */
export interface ReconstructOptions {
  /** 'masked' (default): the hidden patches from the visible ones. 'full': all patches from their own representation, past the regressor. */
  readonly path?: 'masked' | 'full'
  /** `[B, N]`, 1 = hidden; default: drawn with `seed`. Not read with `path: 'full'`. */
  readonly mask?: U8Tensor
  /** Names the mask's draws. Default 0. */
  readonly seed?: number
  /** What draws the tokens of a model whose `target` they are: the tokenizer that it was trained with. */
  readonly tokenizer?: Tokenizer
}

/** Pictures beside their originals. Pixels run from 0 to 1. */
export interface Reconstruction {
  /** `[B, 3, H, W]`; where nothing was hidden, the original's pixels. */
  readonly images: F32Tensor
  /** `[B, 3, H, W]`; of a model that predicts tokens, what the tokenizer draws of the images' own ids. */
  readonly original: F32Tensor
  /** `[B, N]`, 1 = hidden; null with `path: 'full'`. */
  readonly mask: U8Tensor | null
  /** Mean squared error over the predicted pixels. */
  readonly mse: number
  /** Peak signal-to-noise ratio over the predicted pixels, in dB: `10 log10(1 / mse)`. */
  readonly psnr: number
  /** Share of the predicted tokens that are the tokenizer's own; absent for pixels. */
  readonly accuracy?: number
}

/** See `ContextAutoencoder.reconstruct`. */
export function reconstruct(native: NativeModel, images: Images, options: ReconstructOptions = {}): Promise<Reconstruction> {
  const { addon, handle, config } = native
  if (config.target === 'tokens') return handle.use((model) => reconstructTokens(native, model, images, options))
  const { path = 'masked', seed = 0 } = options
  const isMasked = path === 'masked'
  const draw = isMasked ? { spec: maskSpec(config), seed, time: 0 } : undefined
  return handle.use(async (model) => {
    assertPixels(config)
    await using batch = await createBatch(addon, { images, mask: isMasked ? options.mask : undefined }, config, draw)
    const predicted = await addon.modelReconstruct(model, batch.get(), path)
    const tensors = await addon.readBatch(batch.get())
    const original = await pixels(tensors, config)
    const mask = isMasked ? tensors.mask : null
    const { images: pasted, squares, count } = await paste(predicted, original, mask, config)
    const mse = squares / count
    return { images: pasted, original, mask, mse, psnr: 10 * Math.log10(1 / mse) }
  })
}

function assertPixels({ target, normalizeTarget }: ModelConfig): void {
  if (target === 'latents') {
    throw new CaeError('ERR_CAE_OPTION', {
      what: "this model predicts another encoder's latents, which are no pixels: it has no decoder, so there is no picture to show",
      todo: "evaluate its encoder, or look at its attention; for pictures train with target: 'pixels' or 'tokens'",
    })
  }
  if (!normalizeTarget) return
  throw new CaeError('ERR_CAE_OPTION', {
    what: 'this model predicts normalised patches, whose mean and contrast are lost, so there is no picture to show',
    todo: "train with target: 'pixels' and normalizeTarget: false",
  })
}

/** The batch's images as pixels from 0 to 1. */
async function pixels({ images }: BatchTensors, { mean, std }: Pick<EncoderConfig, 'mean' | 'std'>): Promise<F32Tensor> {
  const [, channels = 3, height = 0, width = 0] = images.shape
  const area = height * width
  const isRaw = images.data instanceof Uint8Array
  const data = new Float32Array(images.data.length)
  const slice = new TimeSlice()
  for (let plane = 0; plane < data.length / area; plane++) {
    const channel = plane % channels
    const scale = isRaw ? 1 / 255 : (std[channel] ?? 1)
    const shift = isRaw ? 0 : (mean[channel] ?? 0)
    for (let i = plane * area; i < (plane + 1) * area; i++) data[i] = clamp((images.data[i] ?? 0) * scale + shift)
    await slice.rest()
  }
  return { data, shape: images.shape }
}

const clamp = (value: number) => Math.min(1, Math.max(0, value))

/**
 * Puts predicted patches (rows of P * P * 3 normalised values, hidden patches ascending, or all of them without a mask) into copies of the
 * originals, and sums the squared differences of what was predicted.
 */
async function paste(
  predicted: F32Tensor,
  original: F32Tensor,
  mask: U8Tensor | null,
  config: Pick<EncoderConfig, 'imageSize' | 'patchSize' | 'mean' | 'std'>,
): Promise<{ images: F32Tensor; squares: number; count: number }> {
  const { gridHeight, gridWidth } = patchGrid(config)
  const [height, width] = config.imageSize
  const [batch = 0] = original.shape
  const side = config.patchSize
  const data = original.data.slice()
  let from = 0
  let squares = 0
  const slice = new TimeSlice()
  for (let sample = 0; sample < batch; sample++) {
    for (let patch = 0; patch < gridHeight * gridWidth; patch++) {
      if (mask && mask.data[sample * gridHeight * gridWidth + patch] === 0) continue
      const top = Math.floor(patch / gridWidth) * side
      const left = (patch % gridWidth) * side
      for (let y = top; y < top + side; y++) {
        for (let x = left; x < left + side; x++) {
          for (let channel = 0; channel < 3; channel++) {
            const at = ((sample * 3 + channel) * height + y) * width + x
            const value = clamp((predicted.data[from++] ?? 0) * (config.std[channel] ?? 1) + (config.mean[channel] ?? 0))
            squares += (value - (original.data[at] ?? 0)) ** 2
            data[at] = value
          }
        }
      }
      await slice.rest()
    }
  }
  return { images: { data, shape: original.shape }, squares, count: from }
}
