import { dataFields } from './data.js'
import { type Fields, int } from './field.js'

/** Which images `reconstruct` shows, and what it hides of them. */
export const pictureFields = {
  /** Images in the picture, taken evenly from all. */
  images: int({ default: 8, min: 1, max: 64 }),
  /** Names the masks' draws. */
  seed: int({ default: 0, min: 0, max: Number.MAX_SAFE_INTEGER }),
  alpha: dataFields.alpha,
  exif: dataFields.exif,
  maxPixels: dataFields.maxPixels,
  readTimeout: dataFields.readTimeout,
} as const satisfies Fields
