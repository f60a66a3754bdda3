import { EventQueue } from './event-queue.js'
import type { TrainEvent } from './events.js'

/** What a run does, and its two ways to talk with whoever started it. */
type RunWork<Result> = (emit: (event: TrainEvent) => void, checkpointWanted: () => boolean) => Promise<Result>

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
  private checkpointAsked = false

  /**
   * Starts `work` in a later turn of the event loop; it tells its events through `emit`, which never waits, and learns from `checkpointWanted`
   * whether `checkpoint` was called since it last looked.
   */
  constructor(work: RunWork<Result>) {
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

  /**
   * Asks for a checkpoint of the run's state after the step in flight, or after its first; the run goes on. A `checkpoint` event tells when it
   * is complete. After the end of the run this does nothing.
   */
  checkpoint(): void {
    this.checkpointAsked = true
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

  private async start(work: RunWork<Result>): Promise<Result> {
    await Promise.resolve()
    try {
      return await work(
        (event) => this.emit(event),
        () => this.takeCheckpointRequest(),
      )
    } catch (error) {
      // A reader will get it: then it is not unhandled, even where nobody awaits the run.
      if (this.readers.size > 0) this.result.catch(() => undefined)
      throw error
    } finally {
      this.over = true
      for (const queue of this.readers) queue.notify()
    }
  }

  private takeCheckpointRequest(): boolean {
    const asked = this.checkpointAsked
    this.checkpointAsked = false
    return asked
  }

  private emit(event: TrainEvent): void {
    this.backlog?.push(event)
    for (const queue of this.readers) queue.push(event)
  }
}
