/** Reads that block longer than this on average show a disk too slow to wait for. One long wait alone may be the scheduler's. */
const slowMs = 0.5

/** Reads that the average goes over, roughly. */
const averagedReads = 64

/** Reads beside the event loop before waiting is tried again. */
const readsBeside = 256

/**
 * Whether to wait for the next small read, a few microseconds on a fast disk or in the system's cache, or to read beside the event loop,
 * where the trip through the thread pool alone costs about 60 us of processor time.
 */
export class Patience {
  #besideLeft = 0
  #averageMs = 0

  /** Asked before a read that may go either way; counts those that are not to wait. */
  mayWait(): boolean {
    if (this.#besideLeft === 0) return true
    this.#besideLeft--
    return false
  }

  /** Told after a read that was waited for: too long ones on average end the patience. */
  waited(ms: number): void {
    this.#averageMs += (ms - this.#averageMs) / averagedReads
    if (this.#averageMs > slowMs) this.lose()
  }

  /** The next reads go beside the event loop; then waiting is tried again. */
  lose(): void {
    this.#besideLeft = readsBeside
    this.#averageMs = 0
  }
}
