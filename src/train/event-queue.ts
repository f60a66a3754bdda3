import type { TrainEvent } from './events.js'

/** Events a reader may be behind before old ones are dropped; steps, and pictures of one name, never count more than once. */
const capacity = 1000

/**
 * What one reader has not read yet. Bounded, so that a reader that never reads costs nothing: a newer step takes the place of an older one, so
 * does a newer picture, which holds a whole file, and of everything else the oldest goes first, the start of the run excepted.
 */
export class EventQueue {
  private readonly events: TrainEvent[] = []
  private wake: (() => void) | undefined

  push(event: TrainEvent): void {
    const outdated = this.events.findIndex((older) => isOutdated(older, event))
    if (outdated >= 0) this.events.splice(outdated, 1)
    this.events.push(event)
    if (this.events.length > capacity) this.events.splice(this.events[0]?.type === 'start' ? 1 : 0, 1)
    this.notify()
  }

  /** The oldest unread event. */
  shift(): TrainEvent | undefined {
    return this.events.shift()
  }

  /** Resolves when something was pushed, or `notify` called, after this call. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  notify(): void {
    this.wake?.()
    this.wake = undefined
  }
}

/** Whether nobody who is behind wants the older event any more once there is the newer one. */
function isOutdated(older: TrainEvent, newer: TrainEvent): boolean {
  if (newer.type === 'figure') return older.type === 'figure' && older.name === newer.name
  return newer.type === 'step' && older.type === 'step'
}
