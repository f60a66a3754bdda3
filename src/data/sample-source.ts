import { CaeError } from '../errors.js'
import { messageOf, systemCode } from '../io/output-error.js'
import type { BadImage } from './bad-images.js'
import { type CacheSize, ImageCache } from './cache.js'
import type { Dataset, ImageInput } from './dataset.js'
import type { DecodedImage, Decoder, OpenedImage } from './decode.js'
import type { PixelPool } from './pixel-pool.js'

/** What opening an image came to: pixels to be had, or why not. */
export type Opening = OpenedImage | CaeError

/** Reads and decodes the images of a data set by index, through the cache. What is wrong with an image is a value here, not an exception. */
export class SampleSource {
  readonly #cache: ImageCache
  #decoded = 0

  constructor(
    readonly dataset: Dataset,
    readonly decoder: Decoder,
    readonly pool: PixelPool,
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

  /** Never throws; rejects on abort only. */
  open(index: number): Opening | Promise<Opening> {
    if (this.#cache.get(index) !== undefined) return inCache
    try {
      const input = this.dataset.get(index, this.signal)
      const opened = isPromise(input)
        ? untilAborted(input, this.signal).then((given) => this.decoder.open(given, this.#name(index)))
        : this.decoder.open(input, this.#name(index))
      if (!(opened instanceof Promise)) return opened
      return opened.catch((error) => {
        this.signal.throwIfAborted() // what fails now, fails because of it
        return this.#badImage(index, error)
      })
    } catch (error) {
      return this.#badImage(index, error)
    }
  }

  /** Never rejects. */
  async decode(index: number, opening: Opening): Promise<DecodedImage | CaeError> {
    const cached = this.#cache.get(index) // decoded for an earlier place since this one was opened
    if (cached !== undefined) return cached
    if (opening instanceof CaeError) return opening
    try {
      const image = await opening.decode()
      this.#decoded++
      if (this.#cache.add(index, image)) this.pool.keep(image.data)
      return image
    } catch (error) {
      return this.#badImage(index, error)
    }
  }

  /** The pixels that `decode` gave are read no more. */
  release(pixels: Uint8Array): void {
    this.pool.giveBack(pixels)
  }

  record(index: number, error: CaeError): BadImage {
    const { what } = error.parts
    return { index, name: this.#name(index), code: systemCode(error.cause) ?? error.code, reason: what }
  }

  #badImage(index: number, error: unknown): CaeError {
    if (error instanceof CaeError) return error
    return new CaeError('ERR_CAE_BAD_IMAGE', { what: messageOf(error), where: this.#name(index) }, { cause: error })
  }

  #name(index: number): string {
    return this.dataset.name?.(index) ?? `#${index}`
  }
}

/** Stands for an image that `decode` will find in the cache. */
const inCache: OpenedImage = {
  bytes: 0,
  heldBytes: 0,
  decode() {
    throw new CaeError('ERR_CAE_INTERNAL', { what: 'an image left the cache' })
  },
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
