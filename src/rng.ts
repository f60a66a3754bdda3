/**
 * What a random draw is for. Two purposes never share a stream; the numbers are those of native/base/rng.h, which draws the same values
 * for the same names.
 */
export const purposes = {
  order: 1,
  crop: 2,
  flip: 3,
  mask: 4,
  jitter: 5,
  'drop-path': 6,
  init: 7,
  gumbel: 8,
} as const
export type Purpose = keyof typeof purposes

/** Names one stream of random numbers. All randomness of the package is a pure function of such a name. */
export interface RngKey {
  /** Whole number, 0 to 2^53 - 1. */
  readonly seed: number
  readonly purpose: Purpose
  /** Epoch or step, below 2^32. */
  readonly time: number
  /** Sample, tensor, ..., below 2^32. */
  readonly index: number
}

/**
 * Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): ten rounds that turn a counter and a key into
 * four random 32-bit words. All words are unsigned; `out` may be `counter`.
 */
export function philox(counter: Uint32Array, key: Uint32Array, out: Uint32Array): void {
  let [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = counter
  let [k0 = 0, k1 = 0] = key
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0)
    const high1 = multiplyHigh(0xcd9e8d57, c2)
    const low0 = Math.imul(0xd2511f53, c0)
    const low1 = Math.imul(0xcd9e8d57, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit numbers, by 16-bit halves: every sum below stays under 2^32. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16
  const aLow = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const cross = aLow * bHigh + (middle & 0xffff)
  return aHigh * bHigh + (middle >>> 16) + (cross >>> 16)
}

/** A stream of random numbers that depends on its name alone: counter = (block, index, time, purpose), key = the seed's two halves. */
export class RngStream {
  readonly #key: Uint32Array
  readonly #counter: Uint32Array
  readonly #block = new Uint32Array(4)
  #used = 4

  constructor(key: RngKey) {
    this.#key = Uint32Array.of(key.seed % 2 ** 32, Math.floor(key.seed / 2 ** 32))
    this.#counter = Uint32Array.of(0, key.index, key.time, purposes[key.purpose])
  }

  /** The next number in [0, 1), of 53 bits: ((a >> 5) * 2^26 + (b >> 6)) / 2^53 of the next two words. */
  uniform(): number {
    if (this.#used === 4) this.#refill()
    const a = this.#block[this.#used] ?? 0
    const b = this.#block[this.#used + 1] ?? 0
    this.#used += 2
    return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53
  }

  /** A whole number of `low`..`high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1))
  }

  #refill(): void {
    philox(this.#counter, this.#key, this.#block)
    this.#counter[0] = (this.#counter[0] ?? 0) + 1
    this.#used = 0
  }
}
