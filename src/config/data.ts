import { bytes, type Fields, flag, int, oneOf, real, text } from './field.js'

/** How files become training images. */
export const dataFields = {
  /** Smallest share of an image's area that a random crop takes. */
  scaleMin: real({ default: 0.08, min: 0.0001, max: 1 }),
  /** Largest share of an image's area that a random crop takes. */
  scaleMax: real({ default: 1, min: 0.0001, max: 1 }),
  /** Smallest width over height of a random crop. */
  ratioMin: real({ default: 3 / 4, min: 0.01, max: 100 }),
  /** Largest width over height of a random crop. */
  ratioMax: real({ default: 4 / 3, min: 0.01, max: 100 }),
  /** Probability that a crop is mirrored left to right. */
  flip: real({ default: 0.5, min: 0, max: 1 }),
  /** How crops are resized; both with an antialiasing filter. */
  interpolation: oneOf(['bicubic', 'bilinear'], { default: 'bicubic' }),
  /** What becomes of transparency: dropped, as the reference loaders do, or composed onto a colour such as '#ffffff'. */
  alpha: text<'drop' | `#${string}`>({
    default: 'drop',
    hint: 'colour',
    pattern: /^(drop|#[0-9a-fA-F]{6})$/,
    expects: "'drop' or a colour such as '#ffffff'",
  }),
  /** Turn images upright as their EXIF orientation says. */
  exif: flag({ default: true }),
  /** Largest image that is decoded; a larger one counts as bad. */
  maxPixels: int({ default: 100_000_000, min: 1, unit: 'px' }),
  /** Time that one attempt to read an image may take. A read that takes longer is tried again twice; then the image counts as bad. */
  readTimeout: real({ default: 30, min: 0.01, max: 86_400, unit: 's' }),
  /** Share of images that may be unusable before the run stops. They are skipped, counted and listed in `bad-images.jsonl`. */
  maxBadFraction: real({ default: 0.05, min: 0, max: 1 }),
  /** Memory for decoded images: 'auto' keeps a set that fits, 'off' keeps none. */
  cache: bytes({ words: ['auto', 'off'], default: 'auto' }),
  /** Memory for batches that are made ahead of the step. */
  prefetchBytes: bytes({ default: 256 * 2 ** 20 }),
} as const satisfies Fields
