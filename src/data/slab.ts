/** Bytes of one slab: room for some hundred small pieces. */
const slabBytes = 256 * 1024

/**
 * Cuts small buffers out of large ones: an array buffer of its own costs the collector more than a small image costs to decode. A slab lives
 * as long as one of its pieces, so only pieces of one kind and lifetime should share one.
 */
export class Slab {
  #memory = new ArrayBuffer(0)
  #used = 0

  /** A buffer of `bytes`, with anything in it. */
  take(bytes: number): Buffer {
    if (bytes > slabBytes / 4) return Buffer.allocUnsafeSlow(bytes)
    if (this.#used + bytes > this.#memory.byteLength) {
      this.#memory = new ArrayBuffer(slabBytes)
      this.#used = 0
    }
    const piece = Buffer.from(this.#memory, this.#used, bytes)
    this.#used += bytes
    return piece
  }
}
