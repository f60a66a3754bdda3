import { Slab } from './slab.js'

/** Smaller images are cut from slabs, and left to the collector. */
const pooledBytes = 64 * 1024

/**
 * Memory for decoded pixels, used again. Left to the garbage collector, buffers of large photos outlive their use by seconds: with 12-megapixel
 * images a budget of 128 MB came to 1.5 GB of dead buffers.
 */
export class PixelPool {
  readonly #free = new Map<number, ArrayBuffer[]>()
  readonly #lent = new Set<ArrayBufferLike>()
  readonly #small = new Slab()
  #freeBytes = 0

  /** @param limit bytes kept for later use, at most */
  constructor(readonly limit: number) {}

  /** Memory for `bytes`, with anything in it. */
  take(bytes: number): Buffer {
    if (this.limit === 0) return Buffer.allocUnsafeSlow(bytes)
    if (bytes < pooledBytes) return this.#small.take(bytes)
    const size = sizeClass(bytes)
    const kept = this.#free.get(size)?.pop()
    if (kept !== undefined) this.#freeBytes -= size
    const memory = kept ?? new ArrayBuffer(size)
    this.#lent.add(memory)
    return Buffer.from(memory, 0, bytes)
  }

  /** These pixels stay with whoever has them: their memory is no longer the pool's. */
  keep(pixels: Uint8Array): void {
    this.#lent.delete(pixels.buffer)
  }

  /** These pixels are read no more. Memory that the pool did not lend, or that was given back before, is left alone. */
  giveBack(pixels: Uint8Array): void {
    const memory = pixels.buffer
    if (!this.#lent.delete(memory) || !(memory instanceof ArrayBuffer)) return
    const size = memory.byteLength
    if (this.#freeBytes + size > this.limit) return
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [memory])
    else free.push(memory)
    this.#freeBytes += size
  }
}

/** `bytes` rounded up by at most an eighth, so that images of nearly one size share their memory. */
function sizeClass(bytes: number): number {
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 3)
  return Math.ceil(bytes / step) * step
}
