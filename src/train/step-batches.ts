import type { BatchHandle } from '../native/types.js'

/** What this file needs of a loader: its batches, in order, each of which is one part of a step. */
export interface PartSource extends AsyncIterable<{ readonly handle: BatchHandle }> {}

/** Groups a loader's batches into steps of `parts` batches each: their gradients are accumulated. */
export async function* stepBatches(loader: PartSource, parts: number): AsyncGenerator<readonly BatchHandle[], void, undefined> {
  let step: BatchHandle[] = []
  for await (const { handle } of loader) {
    step.push(handle)
    if (step.length < parts) continue
    yield step
    step = []
  }
}

/** An iterator whose next value can be looked at before it is taken: a run tries its first step's batches before it begins. */
export class Peekable<T> implements AsyncIterator<T, void, undefined> {
  private ahead: Promise<IteratorResult<T, void>> | undefined

  constructor(private readonly source: AsyncIterator<T, void, undefined>) {}

  /** The value that `next` will give. */
  peek(): Promise<IteratorResult<T, void>> {
    this.ahead ??= this.source.next()
    return this.ahead
  }

  next(): Promise<IteratorResult<T, void>> {
    const result = this.peek()
    this.ahead = undefined
    return result
  }
}
