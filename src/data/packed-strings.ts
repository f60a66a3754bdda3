/** First room, in bytes and in strings; both double when they are full. */
const firstBytes = 4096
const firstStrings = 256

/**
 * Many short strings in one piece of memory, as UTF-8: a million paths as objects take several times the bytes, and the collector's time at
 * every turn. Up to 4 GiB in all.
 */
export class PackedStrings {
  #bytes: Buffer
  /** Where each string ends. */
  #ends: Uint32Array
  #length: number

  /** @param packed what `bytes` and `ends` of another one gave; default: none yet */
  constructor(packed?: { readonly bytes: Buffer; readonly ends: Uint32Array }) {
    this.#bytes = packed?.bytes ?? Buffer.allocUnsafeSlow(firstBytes)
    this.#ends = packed?.ends ?? new Uint32Array(firstStrings)
    this.#length = packed?.ends.length ?? 0
  }

  get length(): number {
    return this.#length
  }

  /** All strings, one after the other. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#startOf(this.#length))
  }

  /** Where each string ends in `bytes`. */
  get ends(): Uint32Array {
    return this.#ends.subarray(0, this.#length)
  }

  push(text: string): void {
    const start = this.#startOf(this.#length)
    if (start + 3 * text.length > this.#bytes.length) this.#growBytes(start + 3 * text.length)
    if (this.#length === this.#ends.length) this.#growEnds()
    this.#ends[this.#length++] = start + this.#bytes.write(text, start, 'utf8')
  }

  /** The string at `index`, or undefined outside. */
  at(index: number): string | undefined {
    if (!(Number.isInteger(index) && index >= 0 && index < this.#length)) return undefined
    return this.#bytes.toString('utf8', this.#startOf(index), this.#ends[index])
  }

  #startOf(index: number): number {
    return index === 0 ? 0 : (this.#ends[index - 1] ?? 0)
  }

  #growBytes(least: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(least, 2 * this.#bytes.length))
    this.#bytes.copy(larger)
    this.#bytes = larger
  }

  #growEnds(): void {
    const larger = new Uint32Array(2 * Math.max(firstStrings, this.#ends.length))
    larger.set(this.#ends)
    this.#ends = larger
  }
}
