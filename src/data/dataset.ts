/** An image as the package takes it: a path, an encoded file's bytes, or decoded pixels (rows from the top, 8 bits a channel). */
export type ImageInput = string | Uint8Array | RawImage

/** Decoded pixels: `data` has `width * height * channels` bytes; 1 grey, 3 RGB, 4 RGBA. */
export interface RawImage {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3 | 4
}

/**
 * A set of images with a fixed order. Everything the package trains on or measures with is one of these; a user's own takes ten lines.
 * @example
 * const mine: Dataset = { length: rows.length, get: (index) => fetchBytes(rows[index].url), label: (index) => rows[index].label }
 */
export interface Dataset {
  /** Number of images. */
  readonly length: number
  /**
   * The image at `index` (0-based), the same at every call. A rejection makes it a bad image, it does not end the run. `signal` is aborted when
   * the answer has taken longer than `readTimeout`, or is not wanted any more: hand it to `fetch`, say.
   */
  get(index: number, signal?: AbortSignal): Promise<ImageInput> | ImageInput
  /** Class of the image, 0-based; undefined where it has none. */
  label?(index: number): number | undefined
  /** Class names by label. */
  readonly classes?: readonly string[]
  /** What to call the image in messages and `bad-images.jsonl`: a path, a URL, a key. Default: `#index`. */
  name?(index: number): string
  /** Changes when images are added, taken away or changed; not when the set is moved. A resumed run knows its data by it, besides length and names. */
  readonly fingerprint?: string
}
