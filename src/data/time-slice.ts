import { setImmediate as nextTurn } from 'node:timers/promises'

/** Work done before the event loop gets a turn. */
const sliceMs = 2

/** Breaks a long run of small pieces of work into slices, so that timers and input are never late by much. */
export class TimeSlice {
  #start = performance.now()

  /** Call after each piece; wait for what it returns. */
  rest(): Promise<void> | undefined {
    if (performance.now() - this.#start < sliceMs) return undefined
    return this.#turn()
  }

  async #turn(): Promise<void> {
    await nextTurn()
    this.#start = performance.now()
  }
}
