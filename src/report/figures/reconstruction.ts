import { TimeSlice } from '../../data/time-slice.js'
import { CaeError } from '../../errors.js'
import type { F32Tensor, U8Tensor } from '../../native/types.js'
import type { Pixels } from '../png.js'
import { gridFigure } from './grid.js'
import { hidePatches, pixelsOf } from './planes.js'

/** What the picture needs of a model: `ContextAutoencoder` has it. */
export interface Reconstructs<Images> {
  reconstruct(
    images: Images,
    options: { readonly path: 'masked' | 'full'; readonly seed?: number },
  ): Promise<{
    /** `[B, 3, H, W]` in [0, 1]. */
    readonly images: F32Tensor
    readonly original: F32Tensor
    /** `[B, N]`, 1 where hidden; null on the full path. */
    readonly mask: U8Tensor | null
    /** In dB, over the predicted pixels. */
    readonly psnr: number
  }>
}

/**
 * What a model makes of images, a row each, as a PNG file: the original; the input with the hidden patches grey; the hidden patches predicted
 * from the visible ones (encoder, regressor, decoder); and the alignment picture, for which all patches go through the encoder and straight
 * into the decoder (spec/cae.md 9.1). The last one is only recognisable when encoder and regressor speak one language, which is what the
 * alignment loss is for.
 * @param options.seed names the masks: the same seed hides the same patches at every step of a run
 * @param options.caption begins the line below the images, before the two PSNR
 */
export async function reconstructionFigure<Images>(options: {
  readonly model: Reconstructs<Images>
  readonly images: Images
  readonly seed: number
  readonly caption?: string
}): Promise<Uint8Array> {
  const { model, images, seed, caption } = options
  const masked = await model.reconstruct(images, { path: 'masked', seed })
  const full = await model.reconstruct(images, { path: 'full' })
  const { mask } = masked
  if (!mask) throw new CaeError('ERR_CAE_INTERNAL', { what: 'a masked reconstruction came without its mask' })

  const originals = await column(masked.original)
  const inputs = await sliced(originals, (image, row) => hidePatches(image, mask, row))
  const [predicted, aligned] = [await column(masked.images), await column(full.images)]
  return gridFigure(
    [
      { title: 'original', images: originals },
      {
        title: 'masked input',
        note: 'what the encoder sees',
        images: inputs,
        crisp: true,
      },
      { title: 'reconstruction', note: 'hidden part predicted', images: predicted },
      { title: 'alignment picture', note: 'encoder + decoder only', images: aligned },
    ],
    `${caption === undefined ? '' : `${caption}: `}PSNR ${masked.psnr.toFixed(1)} dB on hidden patches, ${full.psnr.toFixed(1)} dB on the alignment picture`,
  )
}

function column(images: F32Tensor): Promise<Pixels[]> {
  return sliced(Array.from({ length: images.shape[0] ?? 0 }), (_, row) => pixelsOf(images, row))
}

/** `map` that leaves the event loop its turns. */
async function sliced<T>(items: readonly T[], make: (item: T, at: number) => Pixels): Promise<Pixels[]> {
  const slice = new TimeSlice()
  const made: Pixels[] = []
  for (const [at, item] of items.entries()) {
    made.push(make(item, at))
    await slice.rest()
  }
  return made
}
