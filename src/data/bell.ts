/** Wakes whoever waits for something to have changed. */
export class Bell {
  #wake: () => void = () => undefined
  #rung = this.#wait()

  /** Resolves at the next ring. */
  next(): Promise<void> {
    return this.#rung
  }

  ring(): void {
    this.#wake()
    this.#rung = this.#wait()
  }

  #wait(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake
    })
  }
}
