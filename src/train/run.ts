import { EventQueue } from './event-queue.js'
import type { TrainEvent } from './events.js'

/**
 * A training in progress: await it for its result, iterate over it for its events, do both or neither. Reading is optional and never slows
 * the training; a reader that falls behind sees the newest step, and the newest picture of each name, only. The first reader starts at the
 * first event, a later one where the run is. A failure is thrown to every reader and to whoever awaits; it counts as unhandled only where
 * there is neither.
 * @example
 * const run = trainCAE({ data: 'photos/', out: 'runs/photos' })
 * for await (const event of run) if (event.type === 'step') console.log(event.step, event.metrics.loss)
 * const { model } = await run
 */
export class TrainRun<Result> implements Promise<Result>, AsyncIterable<TrainEvent> {
  readonly [Symbol.toStringTag] = 'TrainRun'
  private readonly result: Promise<Result>
  private readonly readers = new Set<EventQueue>()
  /** Kept until somebody reads. */
  private backlog: EventQueue | undefined = new EventQueue()
  private over = false

  /** Starts `work` in a later turn of the event loop; it tells its events through `emit`, which never waits. */
  constructor(work: (emit: (event: TrainEvent) => void) => Promise<Result>) {
    this.result = this.start(work)
  }

  // biome-ignore lint/suspicious/noThenProperty: the run is a promise by design
  then<A = Result, B = never>(
    fulfilled?: ((value: Result) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result.then(fulfilled, rejected)
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.result.catch(rejected)
  }

  finally(settled?: (() => void) | null): Promise<Result> {
    return this.result.finally(settled)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void, undefined> {
    const queue = this.backlog ?? new EventQueue()
    this.backlog = undefined
    this.readers.add(queue)
    try {
      for (;;) {
        const event = queue.shift()
        if (event) yield event
        else if (this.over) break
        else await queue.changed()
      }
      await this.result // throws what ended the run
    } finally {
      this.readers.delete(queue)
    }
  }

  private async start(work: (emit: (event: TrainEvent) => void) => Promise<Result>): Promise<Result> {
    await Promise.resolve()
    try {
      return await work((event) => this.emit(event))
    } catch (error) {
      // A reader will get it: then it is not unhandled, even where nobody awaits the run.
      if (this.readers.size > 0) this.result.catch(() => undefined)
      throw error
    } finally {
      this.over = true
      for (const queue of this.readers) queue.notify()
    }
  }

  private emit(event: TrainEvent): void {
    this.backlog?.push(event)
    for (const queue of this.readers) queue.push(event)
  }
}
