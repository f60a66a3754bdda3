import type { ImageInput } from '../data/dataset.js'
import { decodeDefaults, decodeImage } from '../data/decode.js'
import { CaeError } from '../errors.js'
import type { ModelInput } from '../methods/method.js'
import type { Addon } from '../native/addon.js'
import { NativeHandle } from '../native/handle.js'
import type { BatchHandle, F32Tensor, I32Tensor, ImageTensor, MaskSpec, U8Tensor } from '../native/types.js'

export type { F32Tensor, I32Tensor, ImageTensor, U8Tensor } from '../native/types.js'

/**
 * Images as the model's functions take them: a tensor `[B, 3, H, W]` of the model's own size (uint8 RGB, or float32 already normalised), or any
 * number of paths, encoded files and decoded pixels, which are scaled until they cover the model's input and cut in the middle.
 */
export type Images = ImageTensor | ImageInput | readonly ImageInput[]

/** What a forward pass takes besides the images; what is left out is drawn, or not needed. */
export interface BatchInput {
  readonly images: Images
  /** `[B, N]`, 1 = hidden, the same number in every row. Left out: drawn as the configuration says. */
  readonly mask?: U8Tensor | undefined
  /** Token ids `[B, N]`, for models whose `target` is 'tokens'. */
  readonly ids?: I32Tensor | undefined
  /** Gumbel noise `[B, V, h, w]`, for tokenizers in training. Left out: drawn. */
  readonly noise?: F32Tensor | undefined
  /** Another encoder's tokens of the same images `[B, 1 + N, C]`, class token first, for models whose `target` is 'latents'. */
  readonly latents?: F32Tensor | undefined
}

/** The stream that masks are drawn from where none are given. */
export interface MaskDraw {
  readonly spec: MaskSpec
  readonly seed: number
  /** Epoch or step. */
  readonly time: number
  /** Place of the first image in the whole batch; default 0. */
  readonly first?: number
}

type InputConfig = Pick<ModelInput, 'imageSize' | 'mean' | 'std'>

/**
 * Puts a batch together on the native side; dispose it after use.
 * @param draw where the mask comes from when `input` has none; undefined: the batch has no mask then
 * @throws {CaeError} ERR_CAE_SHAPE for tensors that do not fit together, ERR_CAE_BAD_IMAGE for an image that cannot be used
 */
export async function createBatch(
  addon: Addon,
  input: BatchInput,
  config: InputConfig,
  draw?: MaskDraw,
): Promise<NativeHandle<BatchHandle>> {
  const images = isTensor(input.images) ? input.images : await decodeToTensor(addon, asList(input.images), config)
  const mask = input.mask ?? (draw && (await drawMasks(addon, draw, imageCount(images))))
  return new NativeHandle(addon, await addon.createBatch(images, mask, input.ids, input.noise, input.latents), 'batch')
}

function drawMasks(addon: Addon, { spec, seed, time, first = 0 }: MaskDraw, count: number): Promise<U8Tensor> {
  const indices = Array.from({ length: count }, (_, i) => first + i)
  return addon.drawMasks(spec, seed, time, indices)
}

/** Number of images. */
export function imageCount(images: Images): number {
  if (isTensor(images)) return images.shape[0] ?? 0
  return Array.isArray(images) ? images.length : 1
}

function isTensor(images: Images): images is ImageTensor {
  return typeof images === 'object' && 'shape' in images
}

function asList(images: ImageInput | readonly ImageInput[]): readonly ImageInput[] {
  const list = Array.isArray(images) ? (images as readonly ImageInput[]) : [images as ImageInput]
  if (list.length > 0) return list
  throw new CaeError('ERR_CAE_SHAPE', { what: 'there are no images: the list is empty', where: 'images' })
}

/** Decodes and scales images to the model's input: float32, normalised. */
async function decodeToTensor(addon: Addon, inputs: readonly ImageInput[], config: InputConfig): Promise<ImageTensor> {
  const decoded = await Promise.all(
    inputs.map((input, index) => decodeImage(input, decodeDefaults).then((image) => ({ ...image, index, label: -1 }))),
  )
  const [height, width] = config.imageSize
  const spec = {
    seed: 0,
    epoch: 0,
    height,
    width,
    crop: 'center',
    ...{ viewHeight: 0, viewWidth: 0 },
    viewInterpolation: 'bicubic',
    resizeShort: Math.max(height, width),
    scaleMin: 1,
    scaleMax: 1,
    ratioMin: 1,
    ratioMax: 1,
    flip: 0,
    interpolation: 'bicubic',
    mean: config.mean,
    std: config.std,
    mask: null,
  } as const
  await using batch = new NativeHandle(addon, await addon.collate(decoded, spec), 'batch')
  return (await addon.readBatch(batch.get())).images
}
