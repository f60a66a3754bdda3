import { CaeError } from '../errors.js'
import { messageOf, systemCode } from '../io/output-error.js'
import type { BadImage } from './bad-images.js'
import { type CacheSize, ImageCache } from './cache.js'
import type { Dataset, ImageInput } from './dataset.js'
import type { DecodedImage, Decoder, OpenedImage } from './decode.js'

/** What opening an image came to: pixels to be had, or why not. */
export type Opening = OpenedImage | CaeError

/** Reads and decodes the images of a data set by index, through the cache. What is wrong with an image is a value here, not an exception. */
export class SampleSource {
  readonly #cache: ImageCache
  #decoded = 0

  constructor(
    readonly dataset: Dataset,
    readonly decoder: Decoder,
    cacheSize: CacheSize,
    imagesInUse: number,
    readonly signal: AbortSignal,
  ) {
    this.#cache = new ImageCache(cacheSize, imagesInUse)
  }

  /** Images decoded so far; those from the cache are not counted. */
  get decoded(): number {
    return this.#decoded
  }

  /** Never rejects, except on abort. */
  open(index: number): Opening | Promise<Opening> {
    const cached = this.#cache.get(index)
    return cached === undefined ? this.#read(index) : { bytes: 0, decode: () => cached }
  }

  /** Never rejects. */
  async decode(index: number, opening: Opening): Promise<DecodedImage | CaeError> {
    const cached = this.#cache.get(index) // decoded for an earlier place since this one was opened
    if (cached !== undefined) return cached
    if (opening instanceof CaeError) return opening
    try {
      const image = await opening.decode()
      this.#decoded++
      this.#cache.add(index, image)
      return image
    } catch (error) {
      return this.#badImage(index, error)
    }
  }

  record(index: number, error: CaeError): BadImage {
    const { what } = error.parts
    return { index, name: this.#name(index), code: systemCode(error.cause) ?? error.code, reason: what }
  }

  async #read(index: number): Promise<Opening> {
    try {
      const given = this.dataset.get(index, this.signal)
      const input = isPromise(given) ? await untilAborted(given, this.signal) : given
      return await this.decoder.open(input, this.#name(index))
    } catch (error) {
      this.signal.throwIfAborted() // what fails now, fails because of it
      return this.#badImage(index, error)
    }
  }

  #badImage(index: number, error: unknown): CaeError {
    if (error instanceof CaeError) return error
    return new CaeError('ERR_CAE_BAD_IMAGE', { what: messageOf(error), where: this.#name(index) }, { cause: error })
  }

  #name(index: number): string {
    return this.dataset.name?.(index) ?? `#${index}`
  }
}

function isPromise(given: Promise<ImageInput> | ImageInput): given is Promise<ImageInput> {
  return typeof given === 'object' && 'then' in given
}

/** `promise`, or the abort if that is earlier: a user's `get` may never settle. */
export function untilAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
