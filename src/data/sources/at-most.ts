/** Lets a number of pieces of work run at a time; the others wait in order. */
export class AtMost {
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(readonly count: number) {}

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.count) await new Promise<void>((go) => this.#waiting.push(go))
    else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift() // takes this one's place
      if (next === undefined) this.#running--
      else next()
    }
  }
}
