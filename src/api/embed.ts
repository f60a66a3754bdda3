import { mkdir } from 'node:fs/promises'
import { dirname, extname } from 'node:path'

import { type EmbedConfig, type EmbedInput, embedFields } from '../config/eval.js'
import { optionError, resolveFields, showValue } from '../config/resolve.js'
import type { BadImage } from '../data/bad-images.js'
import type { Dataset } from '../data/dataset.js'
import { type DataInput, openData } from '../data/sources/registry.js'
import { type FeatureRowsOptions, featureRows, featureShape, type SizedEncoder } from '../eval/feature-rows.js'
import { writeFileAtomic } from '../io/atomic-write.js'
import { writeNpy } from '../io/npy.js'
import { outputError } from '../io/output-error.js'
import { writeSafetensors } from '../io/safetensors.js'
import type { F32Tensor } from '../native/types.js'
import type { Encoder } from './encoder.js'
import { encoderOf } from './native-model.js'

/** Options of `embed`. */
export interface EmbedOptions extends EmbedInput {
  /**
   * A file to write, `.safetensors` (tensors `features` and, where images have classes, `labels`) or `.npy` (features alone). The images'
   * names go beside it, one JSON object a line. Features then stream to the disk and are never in memory whole.
   */
  readonly out?: string | undefined
  /** Ends the work; it rejects with the signal's reason, and no file is left behind. */
  readonly signal?: AbortSignal | undefined
  /** Hears how many images have been encoded. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
}

interface EmbedFacts {
  /** Class of each image, or -1. */
  readonly labels: Int32Array
  /** Images that could not be used: their rows hold NaN. */
  readonly badImages: readonly BadImage[]
}

/** Features in memory. Row `i` belongs to image `i` of the data. */
export interface Embeddings extends EmbedFacts {
  /** `[n, D]`, or `[n, N, D]` for patches. */
  readonly features: F32Tensor
  /** Paths, URLs or `#index`. */
  readonly names: readonly string[]
}

/** Features on disk. Row `i` belongs to image `i` of the data. */
export interface EmbeddingFile extends EmbedFacts {
  readonly out: string
  /** One object a line: `row`, `name`, and where they are known `label`, `class` and `error`. */
  readonly namesFile: string
  readonly shape: readonly number[]
}

const otherNames = ['out', 'signal', 'onProgress']

/**
 * Runs images through an encoder and gives their features: each seen once, from its middle, in the order of the data.
 * @throws {CaeError} ERR_CAE_OPTION for a wrong option; ERR_CAE_DATA when there are no images or too many are bad; ERR_CAE_OUTPUT when a file
 *   cannot be written; `signal.reason` on abort
 * @example
 * const { features, names } = await embed(encoder, 'photos/')
 * await embed(encoder, 'photos/', { feature: 'avg', out: 'photos.safetensors' })
 */
export function embed(encoder: Encoder, data: DataInput, options: EmbedOptions & { readonly out: string }): Promise<EmbeddingFile>
export function embed(encoder: Encoder, data: DataInput, options?: EmbedOptions & { readonly out?: undefined }): Promise<Embeddings>
export async function embed(encoder: Encoder, data: DataInput, options: EmbedOptions = {}): Promise<EmbeddingFile | Embeddings> {
  const { out, signal, onProgress, ...own } = options
  const config: EmbedConfig = resolveFields(embedFields, [{ values: own }], { otherNames }).values
  const write = out === undefined ? undefined : writerFor(out)
  const source = encoderOf(encoder)
  const dataset = await openData(data, signal ? { signal } : {})
  const badImages: BadImage[] = []
  const rows: FeatureRowsOptions = {
    dataset,
    config,
    onBad: (record) => badImages.push(record),
    onImages: (done) => onProgress?.({ done, total: dataset.length }),
    signal,
  }
  const shape = [dataset.length, ...featureShape(source, config.feature)]
  const labels = Int32Array.from({ length: dataset.length }, (_, index) => dataset.label?.(index) ?? -1)
  if (out === undefined || write === undefined) {
    return { features: { data: await collect(source, rows, shape), shape }, labels, names: namesOf(dataset), badImages }
  }
  await mkdir(dirname(out), { recursive: true }).catch((error: unknown) => {
    throw outputError(dirname(out), error)
  })
  await write(out, { shape, rows: featureRows(source, rows), labels, dataset, feature: config.feature }).catch((error: unknown) => {
    signal?.throwIfAborted() // the reason itself, even one that looks like the file system's
    throw error
  })
  const namesFile = `${out.slice(0, -extname(out).length)}.names.jsonl`
  await writeNames(namesFile, dataset, labels, badImages)
  return { out, namesFile, shape, labels, badImages }
}

async function collect(encoder: SizedEncoder, options: FeatureRowsOptions, shape: readonly number[]): Promise<Float32Array> {
  const data = new Float32Array(shape.reduce((product, length) => product * length, 1))
  let at = 0
  for await (const rows of featureRows(encoder, options)) {
    data.set(rows, at)
    at += rows.length
  }
  return data
}

interface Embedded {
  readonly shape: readonly number[]
  readonly rows: AsyncIterable<Float32Array>
  readonly labels: Int32Array
  readonly dataset: Dataset
  readonly feature: string
}

/** How a file of this name is written. */
function writerFor(out: string): (path: string, embedded: Embedded) => Promise<unknown> {
  const write = writers[extname(out)]
  if (write) return write
  throw optionError({ what: `out is ${showValue(out)}, expected a name that ends in .safetensors or .npy`, todo: `'${out}.safetensors'` })
}

const writers: Readonly<Record<string, (path: string, embedded: Embedded) => Promise<unknown>>> = {
  '.npy': (path, { shape, rows }) => writeNpy(path, { dtype: 'float32', shape, data: rows }),
  '.safetensors': (path, { shape, rows, labels, dataset, feature }) =>
    writeSafetensors(
      path,
      [
        { name: 'features', dtype: 'F32', shape, data: rows },
        ...(dataset.label ? [{ name: 'labels', dtype: 'I32', shape: [labels.length], data: labels } as const] : []),
      ],
      { feature, ...(dataset.classes && { classes: JSON.stringify(dataset.classes) }) },
    ),
}

/** Lines made at a time, so that the event loop gets its turns. */
const linesPerWrite = 1000

async function writeNames(path: string, dataset: Dataset, labels: Int32Array, badImages: readonly BadImage[]): Promise<void> {
  const errors = new Map(badImages.map(({ index, reason }) => [index, reason]))
  const line = (row: number) => {
    const label = labels[row] ?? -1
    const known = label < 0 ? {} : { label, class: dataset.classes?.[label] }
    return `${JSON.stringify({ row, name: nameOf(dataset, row), ...known, error: errors.get(row) })}\n`
  }
  await writeFileAtomic(path, async (sink) => {
    for (let from = 0; from < dataset.length; from += linesPerWrite) {
      const count = Math.min(linesPerWrite, dataset.length - from)
      await sink.write(Buffer.from(Array.from({ length: count }, (_, i) => line(from + i)).join('')))
    }
  })
}

function namesOf(dataset: Dataset): string[] {
  return Array.from({ length: dataset.length }, (_, index) => nameOf(dataset, index))
}

function nameOf(dataset: Dataset, index: number): string {
  return dataset.name?.(index) ?? `#${index}`
}
