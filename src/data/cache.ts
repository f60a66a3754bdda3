import { freemem } from 'node:os'

import type { DecodedImage } from './upright.js'

/** Decoded pixels kept in memory: `auto` when the whole set fits, `off`, or a number of bytes to fill. */
export type CacheSize = 'auto' | 'off' | number

/** `auto` takes at most this share of the free memory, and at most `autoBytes`. */
const autoShare = 0.25
const autoBytes = 2 * 2 ** 30

/** Images seen before `auto` foretells the size of the whole set. */
const autoSample = 64

/**
 * Decoded images by index, bounded in bytes. Nothing is ever put out: an epoch visits every image once, in an order that makes the one
 * longest unused the next one wanted as likely as every other.
 */
export class ImageCache {
  readonly #images = new Map<number, DecodedImage>()
  readonly #wholeSetOnly: boolean
  #limit: number
  #bytes = 0
  #seen = 0
  #seenBytes = 0

  /** @param length images that will be asked for */
  constructor(
    size: CacheSize,
    readonly length: number,
  ) {
    this.#wholeSetOnly = size === 'auto'
    this.#limit = size === 'auto' ? Math.min(autoBytes, autoShare * freemem()) : size === 'off' ? 0 : size
  }

  /** Bytes of pixels held. */
  get bytes(): number {
    return this.#bytes
  }

  get(index: number): DecodedImage | undefined {
    return this.#images.get(index)
  }

  /** @returns whether the image is kept */
  add(index: number, image: DecodedImage): boolean {
    if (this.#limit === 0 || this.#images.has(index)) return false
    const bytes = image.data.byteLength
    this.#seen++
    this.#seenBytes += bytes
    if (this.#bytes + bytes <= this.#limit && !this.#foreseesOverflow()) {
      this.#images.set(index, image)
      this.#bytes += bytes
      return true
    }
    if (this.#wholeSetOnly) this.#giveUp()
    return false
  }

  #foreseesOverflow(): boolean {
    return this.#wholeSetOnly && this.#seen >= autoSample && (this.#seenBytes / this.#seen) * this.length > this.#limit
  }

  #giveUp(): void {
    this.#images.clear()
    this.#bytes = 0
    this.#limit = 0
  }
}
