import { CaeError } from '../../errors.js'
import type { Dataset, ImageInput } from '../dataset.js'

/** What a stream may yield: an image, or one with its class and name. */
export type StreamedImage =
  | ImageInput
  | { readonly image: ImageInput; readonly label?: number | undefined; readonly name?: string | undefined }

export interface FromAsyncIterableOptions {
  /** Images to take; the stream is ended after so many. Default: all. */
  readonly count?: number | undefined
  /** More bytes than this are an error, not a smaller set. Default: 1 GiB. */
  readonly maxBytes?: number | undefined
  readonly classes?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Takes images from a stream into memory, encoded or as pixels: a data set is read many times and in any order, a stream once. For more than
 * fits in memory write a `Dataset` of your own, or tar shards for `webDataset`.
 * @example
 * const set = await fromAsyncIterable(downloads(), { count: 10_000, maxBytes: 2 ** 30 })
 * @throws {CaeError} ERR_CAE_DATA when the stream holds more than `maxBytes`, or nothing; whatever the stream throws; `signal.reason` on abort
 */
export async function fromAsyncIterable(
  images: AsyncIterable<StreamedImage> | Iterable<StreamedImage>,
  { count = Number.POSITIVE_INFINITY, maxBytes = 2 ** 30, classes, signal }: FromAsyncIterableOptions = {},
): Promise<Dataset> {
  const taken: { readonly image: ImageInput; readonly label?: number | undefined; readonly name?: string | undefined }[] = []
  let bytes = 0
  if (count > 0) {
    for await (const given of images) {
      signal?.throwIfAborted()
      const item = typeof given === 'object' && 'image' in given ? given : { image: given }
      bytes += bytesOf(item.image)
      if (bytes > maxBytes) {
        throw new CaeError('ERR_CAE_DATA', {
          what: `the stream holds more than maxBytes ${maxBytes}: image ${taken.length} is one too many`,
          todo: 'raise maxBytes, take fewer images (count), or write tar shards and use webDataset',
        })
      }
      taken.push({ ...item, image: own(item.image) })
      if (taken.length >= count) break
    }
  }
  if (taken.length === 0) throw new CaeError('ERR_CAE_DATA', { what: 'the stream gave no image' })
  const at = (index: number) => {
    const item = taken[index]
    if (item === undefined) throw new CaeError('ERR_CAE_DATA', { what: `image ${index} asked of a set of ${taken.length}` })
    return item
  }
  return {
    length: taken.length,
    get: (index) => at(index).image,
    name: (index) => at(index).name ?? `#${index}`,
    ...(taken.some(({ label }) => label !== undefined) && { label: (index: number) => at(index).label }),
    ...(classes && { classes }),
  }
}

function bytesOf(image: ImageInput): number {
  if (typeof image === 'string') return image.length
  return image instanceof Uint8Array ? image.byteLength : image.data.byteLength
}

/** A copy: streams reuse their buffers, and a piece of one would keep the whole of it. */
function own(image: ImageInput): ImageInput {
  if (typeof image === 'string') return image
  return image instanceof Uint8Array ? Uint8Array.from(image) : { ...image, data: Uint8Array.from(image.data) }
}
