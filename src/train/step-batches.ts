import type { LoadedBatch } from '../data/loader.js'

/** One part of a step: a batch, and which samples are in it. */
export type StepPart = Pick<LoadedBatch, 'handle' | 'indices' | 'epoch'>

/** Groups a loader's batches into steps of `parts` batches each: their gradients are accumulated. */
export async function* stepBatches(loader: AsyncIterable<StepPart>, parts: number): AsyncGenerator<readonly StepPart[], void, undefined> {
  let step: StepPart[] = []
  for await (const part of loader) {
    step.push(part)
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
