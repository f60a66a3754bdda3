import { CaeError } from '../errors.js'

/** One image that could not be used: a line of `bad-images.jsonl`. */
export interface BadImage {
  /** Place in the data set. */
  readonly index: number
  /** Path, URL, or `#index`. */
  readonly name: string
  /** `ERR_CAE_BAD_IMAGE`; the system's code (`ENOENT`, ...); `ETIMEDOUT` for a read that never ended; `CHANGED` for other bytes than before. */
  readonly code: string
  readonly reason: string
}

/** Without one good image among so many of a shuffled set, the rest is not tried. */
const hopeless = 64

/** Reasons given in the message that ends a run. */
const reasonsTold = 3

/** The images of a data set that could not be used: tells each one once, and says when there are too many. */
export class BadImages {
  readonly #known: ReadonlySet<number>
  readonly #found = new Map<number, BadImage>()
  #good = 0

  constructor(
    readonly options: {
      /** Images in use. */
      readonly length: number
      /** More bad ones than this share of `length` are an error. */
      readonly maxBadFraction: number
      readonly order: 'shuffled' | 'sequential'
      /** Indices found bad in an earlier part of the run. */
      readonly knownBad?: Iterable<number> | undefined
      readonly onBad?: ((record: BadImage) => void) | undefined
    },
  ) {
    this.#known = new Set(options.knownBad)
  }

  get count(): number {
    return this.#known.size + this.#found.size
  }

  has(index: number): boolean {
    return this.#known.has(index) || this.#found.has(index)
  }

  /** Notes that an image was decoded. */
  countGood(): void {
    this.#good++
  }

  /** @throws {CaeError} ERR_CAE_DATA when this one is one too many */
  add(record: BadImage): void {
    if (this.has(record.index)) return
    this.#found.set(record.index, record)
    const { length, maxBadFraction, order, onBad } = this.options
    onBad?.(record)
    const found = this.count
    const isHopeless = this.#good === 0 && this.#found.size >= Math.min(order === 'shuffled' ? hopeless : length, length)
    if (found <= maxBadFraction * length && !isHopeless) return
    const some = [...this.#found.values()].slice(0, reasonsTold)
    throw new CaeError('ERR_CAE_DATA', {
      what:
        this.#good === 0
          ? `none of the ${this.#found.size} images tried so far (of ${length}) can be used`
          : `${found} of ${length} images cannot be used; maxBadFraction ${maxBadFraction} allows ${Math.floor(maxBadFraction * length)}`,
      where: some.map(({ name, reason }) => `${name}: ${reason}`).join('\n      '),
      todo: 'remove or repair these files, or raise maxBadFraction to go on without them',
    })
  }
}
