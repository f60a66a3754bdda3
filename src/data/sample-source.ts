import { CaeError } from '../errors.js'
import { messageOf, systemCode } from '../io/output-error.js'
import type { BadImage } from './bad-images.js'
import { type CacheSize, ImageCache } from './cache.js'
import type { Dataset, ImageInput } from './dataset.js'
import type { DecodedImage, Decoder, OpenedImage } from './decode.js'
import type { PixelPool } from './pixel-pool.js'
import type { SeenContent } from './seen-content.js'
import { TimeOver, withinTime } from './within-time.js'

/** What opening an image came to: pixels to be had, or why not. */
export type Opening = OpenedImage | CaeError

/** A read that takes too long is begun anew so many times, all in all. */
const attempts = 3

export interface SampleSourceOptions {
  readonly dataset: Dataset
  readonly decoder: Decoder
  readonly pool: PixelPool
  readonly cacheSize: CacheSize
  readonly imagesInUse: number
  /** Seconds that one attempt to read an image may take. Default: as long as it takes. */
  readonly readTimeout?: number | undefined
  /** Notices images that change while they are in use. */
  readonly seen?: SeenContent | undefined
  readonly signal: AbortSignal
}

/** An image that was asked for, and how to call that off. */
interface Attempt {
  readonly opened: OpenedImage | Promise<OpenedImage>
  readonly cancel: AbortController | undefined
}

/** Reads and decodes the images of a data set by index, through the cache. What is wrong with an image is a value here, not an exception. */
export class SampleSource {
  readonly #options: SampleSourceOptions
  readonly #cache: ImageCache
  /** Images have been waited for: from then on each attempt can be called off by itself. */
  #waits = false
  #decoded = 0

  constructor(options: SampleSourceOptions) {
    this.#options = options
    this.#cache = new ImageCache(options.cacheSize, options.imagesInUse)
  }

  /** Images decoded so far; those from the cache are not counted. */
  get decoded(): number {
    return this.#decoded
  }

  /**
   * Never throws.
   * @throws (as a rejection) the reason of an abort; {CaeError} ERR_CAE_DATA when the storage does not answer at all
   */
  open(index: number): Opening | Promise<Opening> {
    if (this.#cache.get(index) !== undefined) return inCache
    try {
      const attempt = this.#ask(index)
      return attempt.opened instanceof Promise ? this.#wait(index, attempt) : attempt.opened
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
      if (this.#cache.add(index, image)) this.#options.pool.keep(image.data)
      return image
    } catch (error) {
      return this.#badImage(index, error)
    }
  }

  /** The pixels that `decode` gave are read no more. */
  release(pixels: Uint8Array): void {
    this.#options.pool.giveBack(pixels)
  }

  label(index: number): number {
    return this.#options.dataset.label?.(index) ?? -1
  }

  record(index: number, error: CaeError): BadImage {
    this.#options.seen?.forget(index)
    const { what } = error.parts
    return { index, name: this.#name(index), code: systemCode(error.cause) ?? error.code, reason: what }
  }

  #ask(index: number): Attempt {
    const { dataset, decoder, seen, signal: stop } = this.#options
    const cancel = this.#waits ? new AbortController() : undefined // costs as much as reading a small image
    const signal = cancel?.signal ?? stop
    const name = this.#name(index)
    const inspect = seen && ((bytes: Uint8Array) => seen.check(index, bytes, name))
    const open = (given: ImageInput) => {
      signal.throwIfAborted() // an answer that came too late
      return decoder.open(given, name, { inspect })
    }
    const input = dataset.get(index, signal)
    const opened = isPromise(input) ? Promise.resolve(input).then(open) : open(input) // whatever kind of promise it is
    this.#waits ||= opened instanceof Promise
    return { opened, cancel }
  }

  async #wait(index: number, first: Attempt): Promise<Opening> {
    const { readTimeout, signal, decoder } = this.#options
    const timeoutMs = readTimeout === undefined ? undefined : readTimeout * 1000
    let attempt = first
    for (let tried = 1; ; tried++) {
      try {
        return await withinTime(Promise.resolve(attempt.opened), { timeoutMs, signal, cancel: attempt.cancel })
      } catch (error) {
        signal.throwIfAborted() // what fails now, fails because of it
        if (!(error instanceof TimeOver)) return this.#badImage(index, error)
        if (tried === attempts) {
          if (decoder.isStuck(timeoutMs ?? 0)) throw this.#noStorage(index) // no image is to blame
          return this.#stalled(index, error)
        }
      }
      try {
        attempt = this.#ask(index)
      } catch (error) {
        return this.#badImage(index, error)
      }
    }
  }

  #noStorage(index: number): CaeError {
    return new CaeError('ERR_CAE_DATA', {
      what: `the storage of the images does not answer: no read has come back in ${this.#options.readTimeout} s`,
      where: this.#name(index),
      todo: 'see to the disk or the mount, then resume the run; raise readTimeout if it is merely slow',
    })
  }

  #stalled(index: number, cause: TimeOver): CaeError {
    const what = `reading the image took longer than readTimeout, ${this.#options.readTimeout} s, ${attempts} times`
    return new CaeError('ERR_CAE_BAD_IMAGE', { what, where: this.#name(index) }, { cause })
  }

  #badImage(index: number, error: unknown): CaeError {
    if (error instanceof CaeError) return error
    return new CaeError('ERR_CAE_BAD_IMAGE', { what: messageOf(error), where: this.#name(index) }, { cause: error })
  }

  #name(index: number): string {
    return this.#options.dataset.name?.(index) ?? `#${index}`
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
