import { CaeError } from '../errors.js'

/** One image that could not be used: a line of `bad-images.jsonl`. */
export interface BadImage {
  /** Place in the data set. */
  readonly index: number
  /** Path, URL, or `#index`. */
  readonly name: string
  /** `ERR_CAE_BAD_IMAGE`, or the system's code (`ENOENT`, ...). */
  readonly code: string
  readonly reason: string
}

/** When there is not one good image among so many, the rest is not tried. */
const hopeless = 64

/** Reasons given in the message that ends a run. */
const reasonsTold = 3

/** The images of a data set that could not be used: tells each one once, and says when there are too many. */
export class BadImages {
  readonly #found = new Map<number, BadImage>()
  #good = 0

  /** @param length images in use @param maxFraction of `length`: more bad ones than this are an error */
  constructor(
    readonly length: number,
    readonly maxFraction: number,
    readonly onBad: ((record: BadImage) => void) | undefined,
  ) {}

  get count(): number {
    return this.#found.size
  }

  has(index: number): boolean {
    return this.#found.has(index)
  }

  /** Notes that an image was decoded. */
  countGood(): void {
    this.#good++
  }

  /** @throws {CaeError} ERR_CAE_DATA when this one is one too many */
  add(record: BadImage): void {
    if (this.#found.has(record.index)) return
    this.#found.set(record.index, record)
    this.onBad?.(record)
    const tooMany = this.#found.size > this.maxFraction * this.length
    const none = this.#good === 0 && this.#found.size >= Math.min(hopeless, this.length)
    if (!tooMany && !none) return
    const some = [...this.#found.values()].slice(0, reasonsTold)
    const { length } = this
    throw new CaeError('ERR_CAE_DATA', {
      what:
        this.#good === 0
          ? `none of the ${this.#found.size} images tried so far (of ${length}) can be used`
          : `${this.#found.size} of ${length} images cannot be used, and maxBadFraction ${this.maxFraction} allows ${Math.floor(this.maxFraction * length)}`,
      where: some.map(({ name, reason }) => `${name}: ${reason}`).join('\n      '),
      todo: 'remove or repair these files, or raise maxBadFraction to go on without them',
    })
  }
}
