import { AtMost } from './at-most.js'

/** A value of a column of bytes or text; undefined for null. */
export type PageValue = Uint8Array | string | undefined

/** Decoded pages kept, in bytes of their values. */
const keptBytes = 128 * 2 ** 20

/** Pages decoded at a time: each is in memory as stored and as it was. */
const decodedAtOnce = 4

interface DecodedPage {
  readonly values: Promise<readonly PageValue[]>
  /** 0 until it is decoded. */
  bytes: number
}

/** The pages of a set that were last used, decoded: neighbours in a page are then had for nothing. Bounded in bytes. */
export class DecodedPages {
  /** The one longest unused first. */
  readonly #pages = new Map<string, DecodedPage>()
  readonly #turns = new AtMost(decodedAtOnce)
  #bytes = 0

  get(
    key: string,
    decode: () => Promise<{ readonly values: readonly PageValue[]; readonly bytes: number }>,
  ): Promise<readonly PageValue[]> {
    const known = this.#pages.get(key)
    if (known !== undefined) {
      this.#pages.delete(key)
      this.#pages.set(key, known) // now the one last used
      return known.values
    }
    const decoding = this.#turns.run(decode)
    const page: DecodedPage = { values: decoding.then(({ values }) => values), bytes: 0 }
    this.#pages.set(key, page)
    decoding.then(
      ({ bytes }) => this.#count(page, bytes),
      () => this.#pages.delete(key), // the next one tries again
    )
    return page.values
  }

  #count(page: DecodedPage, bytes: number): void {
    page.bytes = bytes
    this.#bytes += bytes
    for (const [key, oldest] of this.#pages) {
      if (this.#bytes <= keptBytes) break
      if (oldest.bytes === 0) continue // not there yet
      this.#pages.delete(key)
      this.#bytes -= oldest.bytes
    }
  }
}
