import type { TrainEvent, TrainListener } from './events.js'

/** Hands every event to all listeners, one event after the other, and closes them all at the end. */
export class Listeners implements AsyncDisposable {
  constructor(private readonly listeners: readonly TrainListener[]) {}

  /** @throws what a listener throws */
  async emit(event: TrainEvent): Promise<void> {
    for (const listener of this.listeners) await listener.onEvent(event)
  }

  /** Closes all, then throws the first failure. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = await Promise.allSettled(this.listeners.map(async (listener) => listener.close?.()))
    for (const outcome of closed) if (outcome.status === 'rejected') throw outcome.reason
  }
}
