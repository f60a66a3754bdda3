import { epochOrder, identity } from './order.js'

/** Which samples make one batch: places `from` to `to` (exclusive) of the epoch's order. */
export interface PlannedBatch {
  readonly epoch: number
  /** All samples of the epoch in the order of their visit, as indices into the data set. */
  readonly order: Uint32Array
  readonly from: number
  readonly to: number
}

export interface PlanOptions {
  /** Samples in use, as indices into the data set. */
  readonly indices: Uint32Array
  readonly seed: number
  readonly order: 'shuffled' | 'sequential'
  readonly batchSize: number
  readonly dropLast: boolean
  /** Batches that belong together, as the parts of an optimizer step: with `dropLast` an epoch holds whole groups only. Default: 1. */
  readonly batchesPerStep?: number | undefined
  readonly epochs: number
  /** Batches left out at the beginning, whole epochs among them. */
  readonly startBatch: number
}

/** Batches in an epoch of `length` samples. */
export function batchesPerEpoch(
  length: number,
  { batchSize, dropLast, batchesPerStep = 1 }: Pick<PlanOptions, 'batchSize' | 'dropLast' | 'batchesPerStep'>,
): number {
  return dropLast ? Math.floor(length / (batchSize * batchesPerStep)) * batchesPerStep : Math.ceil(length / batchSize)
}

/** All batches of a run, in order. The plan is a pure function of its options: a resumed run leaves out what came before, unread. */
export async function* planBatches(options: PlanOptions, signal?: AbortSignal): AsyncGenerator<PlannedBatch> {
  const { indices, batchSize, startBatch } = options
  const perEpoch = batchesPerEpoch(indices.length, options)
  let first = startBatch % perEpoch
  for (let epoch = Math.floor(startBatch / perEpoch); epoch < options.epochs; epoch++) {
    const order = options.order === 'shuffled' ? await epochOrder(indices.length, options.seed, epoch, signal) : identity(indices.length)
    for (let place = 0; place < order.length; place++) order[place] = indices[order[place] ?? 0] ?? 0
    for (let batch = first; batch < perEpoch; batch++) {
      const from = batch * batchSize
      yield { epoch, order, from, to: Math.min(from + batchSize, indices.length) }
    }
    first = 0
  }
}
