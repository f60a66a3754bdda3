import type { BadImage } from '../data/bad-images.js'
import type { Dataset } from '../data/dataset.js'
import { CaeError } from '../errors.js'
import type { F32Tensor } from '../native/types.js'
import type { ExtractOptions, FeatureExtractor } from './extractor.js'
import { type BatchesOptions, centreBatches } from './image-batches.js'

/** Features and classes of the images of a data set. Images that could not be used are not in it. */
export interface FeatureBank {
  /** `[n, C]`. */
  readonly features: F32Tensor
  /** One class a row. */
  readonly labels: Int32Array
  readonly badImages: readonly BadImage[]
}

/** What a bank is made with. */
export interface BankOptions extends Omit<BatchesOptions, 'input' | 'onBad'>, ExtractOptions {
  /** Divide every row by its length, or by 1e-12 where that is greater (spec/downstream.md 2.2). */
  readonly normalize: boolean
  /** Hears how many images have been encoded. */
  readonly onImages?: ((done: number) => void) | undefined
}

/**
 * Runs every labelled image through an extractor.
 * @throws {CaeError} ERR_CAE_DATA when an image has no class or too many are bad; ERR_CAE_DIVERGED when a feature is not finite;
 *   `signal.reason` on abort
 */
export async function makeFeatureBank(extractor: FeatureExtractor, options: BankOptions): Promise<FeatureBank> {
  const { dataset, normalize, onImages } = options
  const badImages: BadImage[] = []
  const labels = new Int32Array(dataset.length)
  let data = new Float32Array()
  let width = 0
  let rows = 0
  const batches = centreBatches({ ...options, input: extractor.input, onBad: (record) => badImages.push(record) })
  for await (const batch of batches) {
    const features = await extractor.extract(batch.handle, options)
    if (rows === 0) {
      width = features.shape[1] ?? 0
      data = new Float32Array(dataset.length * width)
    }
    checkLabels(batch.labels, batch.indices, dataset)
    labels.set(batch.labels, rows)
    checkRows(features.data, width, batch.indices, dataset, normalize)
    data.set(features.data, rows * width)
    rows += batch.labels.length
    onImages?.(rows)
  }
  return { features: { data: data.subarray(0, rows * width), shape: [rows, width] }, labels: labels.subarray(0, rows), badImages }
}

/** Rows `from` to `to` (exclusive) of a matrix, where they lie. */
export function rowsOf({ data, shape }: F32Tensor, from: number, to: number): F32Tensor {
  const [, width = 0] = shape
  return { data: data.subarray(from * width, to * width), shape: [to - from, width] }
}

/** @throws {CaeError} ERR_CAE_DATA where an image has no class */
export function checkLabels(labels: Int32Array, indices: readonly number[], dataset: Dataset): void {
  const place = labels.findIndex((label) => label < 0)
  if (place < 0) return
  throw new CaeError('ERR_CAE_DATA', {
    what: 'the image has no class',
    where: nameOf(dataset, indices[place] ?? 0),
    todo: 'give a folder with one sub-folder a class, or a data set whose label(index) is a number of 0 or more',
  })
}

/** Looks at every row once, and makes its length 1 where that is wanted. */
function checkRows(data: Float32Array, width: number, indices: readonly number[], dataset: Dataset, normalize: boolean): void {
  for (const [row, index] of indices.entries()) {
    const values = data.subarray(row * width, (row + 1) * width)
    let squares = 0
    for (const value of values) squares += value * value
    if (!Number.isFinite(squares)) {
      throw new CaeError('ERR_CAE_DIVERGED', {
        what: 'the features hold a number that is not finite',
        where: nameOf(dataset, index),
        todo: 'evaluate an earlier checkpoint: the weights of this one have diverged',
      })
    }
    if (!normalize) continue
    const length = Math.max(Math.sqrt(squares), 1e-12)
    for (let i = 0; i < width; i++) values[i] = (values[i] ?? 0) / length
  }
}

function nameOf(dataset: Dataset, index: number): string {
  return dataset.name?.(index) ?? `#${index}`
}

/**
 * How many classes two labelled sets have between them.
 * @throws {CaeError} ERR_CAE_DATA when their class names differ, since then equal numbers do not mean equal classes
 */
export function commonClasses(train: Dataset, test: Dataset, labels: readonly Int32Array[]): number {
  const [ours, theirs] = [train.classes, test.classes]
  if (ours && theirs && (ours.length !== theirs.length || ours.some((name, i) => name !== theirs[i]))) {
    const missing = [...ours.filter((name) => !theirs.includes(name)), ...theirs.filter((name) => !ours.includes(name))]
    throw new CaeError('ERR_CAE_DATA', {
      what: `train has ${ours.length} classes and test ${theirs.length}, and they are not the same: ${missing.slice(0, 5).join(', ') || 'their order differs'}`,
      todo: 'give both the same class folders',
    })
  }
  const highest = labels.reduce((high, some) => some.reduce((max, label) => Math.max(max, label), high), -1)
  return Math.max(ours?.length ?? 0, theirs?.length ?? 0, highest + 1)
}
