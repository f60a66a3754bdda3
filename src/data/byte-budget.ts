/** A number of bytes that work in flight may hold; one that asks for more waits, in order. A single piece of any size is always let through. */
export class ByteBudget {
  #used = 0
  readonly #waiting: { readonly bytes: number; readonly grant: () => void }[] = []

  constructor(readonly limit: number) {}

  /** Takes `bytes` if they are to be had now. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return false
    this.#used += bytes
    return true
  }

  /** Takes `bytes` as soon as enough were given back. */
  take(bytes: number): Promise<void> {
    if (this.tryTake(bytes)) return Promise.resolve()
    return new Promise((grant) => this.#waiting.push({ bytes, grant }))
  }

  giveBack(bytes: number): void {
    this.#used -= bytes
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#used += next.bytes
      this.#waiting.shift()
      next.grant()
    }
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.limit
  }
}
