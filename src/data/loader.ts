import { setMaxListeners } from 'node:events'

import { CaeError } from '../errors.js'
import type { CollateSpec } from '../native/types.js'
import { type BadImage, BadImages } from './bad-images.js'
import { BatchMaker, type Collator, type LoadedBatch } from './batch-maker.js'
import { batchesPerEpoch, type PlanOptions } from './batch-plan.js'
import type { CacheSize } from './cache.js'
import type { Dataset } from './dataset.js'
import { createDecoder, type DecodeOptions } from './decode.js'
import { identity } from './order.js'
import { PixelPool } from './pixel-pool.js'
import { SampleSource } from './sample-source.js'
import type { SeenContent } from './seen-content.js'
import { withinTime } from './within-time.js'

export type { LoadedBatch }

export interface LoaderOptions extends DecodeOptions {
  readonly addon: Collator
  readonly dataset: Dataset
  /** Samples in use, as indices into the data set. Default: all. */
  readonly indices?: ArrayLike<number>
  readonly collate: Omit<CollateSpec, 'seed' | 'epoch'>
  readonly seed: number
  readonly batchSize: number
  /**
   * `shuffled`: a permutation an epoch, and a bad image's place is taken by the next good image of that order. `sequential`: the order of
   * `indices`, and a bad image is left out, so its batch is shorter.
   */
  readonly order: 'shuffled' | 'sequential'
  /** Leave out the last batch of an epoch when it is short. */
  readonly dropLast: boolean
  /** Batches that belong together, as the parts of an optimizer step: with `dropLast` an epoch holds whole groups only. Default: 1. */
  readonly batchesPerStep?: number
  /** `Infinity` for no end. */
  readonly epochs: number
  /** Batches already consumed in an earlier run: they are left out, and their images are not read. */
  readonly startBatch?: number
  /** Bound on decoded pixels and finished batches that wait, in bytes; one batch is always ahead, whatever its size. */
  readonly prefetchBytes: number
  readonly cacheBytes: CacheSize
  /** Seconds that one attempt to read an image may take; after several it is bad. Default: as long as it takes. */
  readonly readTimeout?: number
  /** Notices images that change between two of their visits: they are bad from then on. Default: nothing is compared. */
  readonly seen?: SeenContent
  /** Indices found bad in an earlier part of the same run: not read again, and counted. */
  readonly knownBad?: Iterable<number>
  /** More bad images than this share of those in use end the run. */
  readonly maxBadFraction: number
  /** Hears of each bad image once. */
  readonly onBad?: (record: BadImage) => void
  readonly signal?: AbortSignal | undefined
}

export interface LoaderStats {
  /** Time that the consumer waited for batches. */
  readonly waitNs: number
  /** Images decoded; those from the cache are not counted. */
  readonly decoded: number
  /** Different images that could not be used. */
  readonly bad: number
}

/** Batches of a data set, made ahead of their use. Iterate once; leaving the loop closes it. */
export interface Loader extends AsyncIterable<LoadedBatch>, AsyncDisposable {
  readonly batchesPerEpoch: number
  stats(): LoaderStats
  /** Stops, waits for the work in flight and frees every batch not taken. */
  close(): Promise<void>
}

/**
 * Makes batches ahead of their use. What is in them is a pure function of data set, seed and options: neither prefetching nor the cache nor
 * a resume changes it.
 * @throws {CaeError} ERR_CAE_OPTION at once when not one batch can be filled; while iterating: ERR_CAE_DATA when too many images are bad,
 *   `signal.reason` on abort
 */
export function createLoader(options: LoaderOptions): Loader {
  const indices = options.indices === undefined ? identity(options.dataset.length) : Uint32Array.from(options.indices)
  const perEpoch = batchesPerEpoch(indices.length, options)
  if (perEpoch === 0) {
    const wanted = options.batchSize * (options.batchesPerStep ?? 1)
    throw new CaeError('ERR_CAE_OPTION', {
      what: `batchSize ${wanted} is larger than the data set: ${indices.length} images to draw from`,
      todo: `use a batchSize of at most ${indices.length}`,
    })
  }
  return new BatchLoader(options, indices, perEpoch)
}

class BatchLoader implements Loader {
  readonly #bad: BadImages
  readonly #stop = new AbortController()
  #source: SampleSource | undefined
  #maker: BatchMaker | undefined
  #closing: Promise<void> | undefined
  #waitNs = 0

  constructor(
    readonly options: LoaderOptions,
    readonly indices: Uint32Array,
    readonly batchesPerEpoch: number,
  ) {
    setMaxListeners(0, this.#stop.signal) // one listener for each image that is being fetched
    this.#bad = new BadImages({ length: indices.length, ...options })
  }

  stats(): LoaderStats {
    return { waitNs: this.#waitNs, decoded: this.#source?.decoded ?? 0, bad: this.#bad.count }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LoadedBatch> {
    const { signal } = this.options
    const abort = () => this.#stop.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    try {
      for (;;) {
        const start = performance.now()
        const batch = await this.#next()
        this.#waitNs += (performance.now() - start) * 1e6
        if (batch === undefined) return
        yield batch
      }
    } finally {
      signal?.removeEventListener('abort', abort)
      await this.close()
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#stop.abort(new CaeError('ERR_CAE_DISPOSED', { what: 'the loader was closed' }))
      await this.#maker?.close()
    })()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #next(): Promise<LoadedBatch | undefined> {
    this.#stop.signal.throwIfAborted()
    this.#maker ??= await this.#start()
    return withinTime(this.#maker.take(), this.#stop)
  }

  async #start(): Promise<BatchMaker> {
    const { options, indices } = this
    const pool = new PixelPool(options.prefetchBytes)
    const decoder = await createDecoder(options, pool)
    const { signal } = this.#stop
    const { dataset, cacheBytes: cacheSize, readTimeout, seen } = options
    this.#source = new SampleSource({ dataset, decoder, pool, cacheSize, imagesInUse: indices.length, readTimeout, seen, signal })
    const { seed, order, batchSize, dropLast, batchesPerStep, epochs, startBatch = 0 } = options
    const plan: PlanOptions = { indices, seed, order, batchSize, dropLast, batchesPerStep, epochs, startBatch }
    const { addon, collate, prefetchBytes } = options
    return new BatchMaker({ plan, source: this.#source, bad: this.#bad, addon, collate, prefetchBytes, signal })
  }
}
