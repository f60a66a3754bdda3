import type { F32Tensor } from '../../native/types.js'
import { gridFigure } from './grid.js'
import { pixelsOf } from './planes.js'

/** What the picture needs of a tokenizer: `Tokenizer` has it. */
export interface Tokenizes<Images> {
  reconstruct(images: Images): Promise<{
    /** `[B, 3, H, W]` in [0, 1]. */
    readonly images: F32Tensor
    readonly original: F32Tensor
    /** In dB. */
    readonly psnr: number
  }>
}

/**
 * Images beside what a tokenizer makes of their ids, a row each, as a PNG file.
 * @param options.caption begins the line below the images, before the PSNR
 */
export async function tokenizerFigure<Images>(options: {
  readonly tokenizer: Tokenizes<Images>
  readonly images: Images
  readonly caption?: string
}): Promise<Uint8Array> {
  const { images, original, psnr } = await options.tokenizer.reconstruct(options.images)
  const column = (tensor: F32Tensor) => Array.from({ length: tensor.shape[0] ?? 0 }, (_, row) => pixelsOf(tensor, row))
  return gridFigure(
    [
      { title: 'original', images: column(original) },
      { title: 'from its ids', images: column(images) },
    ],
    `${options.caption === undefined ? '' : `${options.caption}: `}PSNR ${psnr.toFixed(1)} dB`,
  )
}
