import { CaeError } from '../errors.js'
import type { BatchHandle, CollateSpec, DecodedSample } from '../native/types.js'
import type { BadImages } from './bad-images.js'
import { type PlannedBatch, type PlanOptions, planBatches } from './batch-plan.js'
import { Bell } from './bell.js'
import { ByteBudget } from './byte-budget.js'
import { openAhead } from './open-ahead.js'
import type { Opening, SampleSource } from './sample-source.js'
import { TimeSlice } from './time-slice.js'
import type { DecodedImage } from './upright.js'

/** The native functions that make batches. */
export interface Collator {
  collate(samples: readonly DecodedSample[], spec: CollateSpec): Promise<BatchHandle>
  joinBatches(batches: readonly BatchHandle[]): Promise<BatchHandle>
  dispose(handle: BatchHandle): Promise<void>
}

export interface BatchMakerOptions {
  readonly plan: PlanOptions
  readonly source: SampleSource
  readonly bad: BadImages
  readonly addon: Collator
  readonly collate: Omit<CollateSpec, 'seed' | 'epoch'>
  readonly prefetchBytes: number
  readonly signal: AbortSignal
}

/** Files read before their turn to be decoded: small ones are bound by the time a read takes, not by the work. Fewer where they are large. */
const openedAhead = 64
const leastOpenedAhead = 4

/** Share of the bytes that encoded files may hold. */
const encodedShare = 1 / 8

/** Decodes begun at a time: more than threads, so that none is ever idle, and few, so that other files of the process get their turn. */
const decodesAtOnce = 16

/** Finished batches that may wait, however small they are. */
const batchesAhead = 8

/** A batch ready for a step. Whoever takes it disposes of `handle`. */
export interface LoadedBatch {
  readonly handle: BatchHandle
  /** Index in the data set of each image, in the batch's order. */
  readonly indices: readonly number[]
  /** Class of each image, or -1. */
  readonly labels: Int32Array
  readonly epoch: number
}

/** A finished part of a batch: all of it, unless its decoded images pass the budget. */
interface Part {
  readonly handle: BatchHandle
  readonly samples: readonly DecodedSample[]
}

/** The batch in the making. */
interface Assembly {
  readonly plan: PlannedBatch
  readonly parts: Promise<Part | undefined>[]
  /** Samples of the next part; undefined for a bad image without replacement. */
  group: Promise<DecodedSample | undefined>[]
  groupBytes: number
}

/**
 * The producer behind a loader. Files are opened ahead in the order of the plan, decoded as far as the byte budget goes, and collated when
 * the batch is complete; or in parts, when its decoded images alone would pass the budget: a batch of phone photos is gigabytes.
 */
export class BatchMaker {
  readonly #options: BatchMakerOptions
  readonly #budget: ByteBudget
  readonly #mostAhead: number
  readonly #ready: Promise<LoadedBatch | undefined>[] = []
  readonly #bell = new Bell()
  readonly #done: Promise<void>
  #assembly: Assembly | undefined
  /** Batches begun and not yet taken. */
  #ahead = 0
  /** Of the encoded images lately opened. */
  #meanHeld = 2 ** 18
  #ended = false

  constructor(options: BatchMakerOptions) {
    this.#options = options
    // Half of the bytes for decoded pixels, half for finished batches: neither can starve the other.
    this.#budget = new ByteBudget(options.prefetchBytes / 2)
    const batchBytes = options.plan.batchSize * 3 * options.collate.height * options.collate.width * Float32Array.BYTES_PER_ELEMENT
    this.#mostAhead = clamp(Math.floor(options.prefetchBytes / 2 / batchBytes), options.plan.batchesPerStep ?? 1, batchesAhead)
    this.#done = this.#run()
    this.#done.catch(() => undefined) // told by `take`
  }

  /** The next batch, or undefined after the last. Rejects with what ended the making. */
  async take(): Promise<LoadedBatch | undefined> {
    for (;;) {
      const next = this.#ready.shift()
      if (next !== undefined) {
        this.#ahead--
        this.#bell.ring()
        const batch = await next
        if (batch !== undefined) return batch // a batch of bad images only has nothing in it
      } else if (this.#ended) {
        await this.#done
        return undefined
      } else {
        await this.#bell.next()
      }
    }
  }

  /** Call after the signal was aborted: waits for the work in flight, and frees the batches that nobody took. */
  async close(): Promise<void> {
    this.#bell.ring()
    await this.#done.catch(() => undefined)
    const { addon } = this.#options
    for (const result of await Promise.allSettled([...this.#ready.splice(0), ...(this.#assembly?.parts ?? [])])) {
      if (result.status === 'fulfilled' && result.value !== undefined) await addon.dispose(result.value.handle)
    }
    await Promise.allSettled(this.#assembly?.group ?? [])
  }

  async #run(): Promise<void> {
    const { plan, source, bad, signal } = this.#options
    const open = ({ index }: Place) => (bad.has(index) ? knownToBeBad : source.open(index))
    const window = () => clamp((this.#options.prefetchBytes * encodedShare) / this.#meanHeld, leastOpenedAhead, openedAhead)
    const decoding: Promise<unknown>[] = []
    const slice = new TimeSlice()
    try {
      for await (const { item, result } of openAhead(placesOf(planBatches(plan, signal)), window, open)) {
        const assembly = await this.#assemblyFor(item.batch)
        signal.throwIfAborted()
        await this.#makeRoom(assembly, result)
        const sample = this.#sample(item, result)
        sample.catch(() => undefined) // heard when its part is collated
        assembly.group.push(sample)
        decoding.push(sample)
        if (decoding.length === decodesAtOnce) await decoding.shift()
        if (item.place + 1 === item.batch.to) this.#offer(assembly)
        await slice.rest()
      }
    } finally {
      this.#ended = true
      this.#bell.ring()
    }
  }

  /** The batch in the making; a new one waits until there are few enough ahead. */
  async #assemblyFor(plan: PlannedBatch): Promise<Assembly> {
    if (this.#assembly !== undefined) return this.#assembly
    while (this.#ahead >= this.#mostAhead && !this.#options.signal.aborted) await this.#bell.next()
    this.#ahead++
    this.#assembly = { plan, parts: [], group: [], groupBytes: 0 }
    return this.#assembly
  }

  /** Takes the bytes of one more decoded image, sending what is there to the native side where they would be too many. */
  async #makeRoom(assembly: Assembly, opening: Opening): Promise<void> {
    if (opening instanceof CaeError) return
    this.#meanHeld += (opening.heldBytes - this.#meanHeld) / openedAhead
    if (!this.#budget.tryTake(opening.bytes)) {
      this.#endPart(assembly)
      await this.#budget.take(opening.bytes)
    }
    assembly.groupBytes += opening.bytes
  }

  #endPart(assembly: Assembly): void {
    if (assembly.group.length === 0) return
    const part = this.#collate(assembly.plan, assembly.group, assembly.groupBytes)
    part.catch(() => undefined) // heard when the batch is joined
    assembly.parts.push(part)
    assembly.group = []
    assembly.groupBytes = 0
  }

  #offer(assembly: Assembly): void {
    this.#endPart(assembly)
    this.#assembly = undefined
    const batch = this.#join(assembly)
    batch.catch(() => undefined) // heard when it is taken
    this.#ready.push(batch)
    this.#bell.ring()
  }

  async #collate(plan: PlannedBatch, group: Assembly['group'], bytes: number): Promise<Part | undefined> {
    const { addon, collate, plan: options, source } = this.#options
    let samples: readonly DecodedSample[] = []
    try {
      samples = (await Promise.all(group)).filter((sample) => sample !== undefined)
      if (samples.length === 0) return undefined
      return { samples, handle: await addon.collate(samples, { ...collate, seed: options.seed, epoch: plan.epoch }) }
    } finally {
      for (const { data } of samples) source.release(data)
      this.#budget.giveBack(bytes)
    }
  }

  async #join({ plan, parts }: Assembly): Promise<LoadedBatch | undefined> {
    const { addon } = this.#options
    const results = await Promise.allSettled(parts)
    const made = results.flatMap((result) => (result.status === 'fulfilled' && result.value !== undefined ? [result.value] : []))
    const failed = results.find((result) => result.status === 'rejected')
    const handles = made.map((part) => part.handle)
    const [only] = handles
    if (failed === undefined && only === undefined) return undefined
    const samples = made.flatMap((part) => part.samples)
    const facts = { indices: samples.map(({ index }) => index), labels: Int32Array.from(samples, ({ label }) => label), epoch: plan.epoch }
    if (failed === undefined && only !== undefined && handles.length === 1) return { handle: only, ...facts }
    try {
      if (failed !== undefined) throw failed.reason
      return { handle: await addon.joinBatches(handles), ...facts }
    } finally {
      for (const handle of handles) await addon.dispose(handle)
    }
  }

  /** The decoded image for a place of the plan: its own, or the next good one of the epoch's order where that is bad. */
  async #sample({ batch, place, index }: Place, opening: Opening): Promise<DecodedSample | undefined> {
    const { source, bad, plan } = this.#options
    // Before anything is waited for: a later place of the same image may have been opened already, and with better luck.
    if (opening instanceof CaeError) bad.add(source.record(index, opening))
    if (!bad.has(index)) {
      const image = await source.decode(index, opening)
      if (!(image instanceof CaeError)) return this.#good(index, image)
      bad.add(source.record(index, image))
    }
    if (plan.order === 'sequential') return undefined
    for (let step = 1; step < batch.order.length; step++) {
      const next = batch.order[(place + step) % batch.order.length] ?? 0
      if (bad.has(next)) continue
      const other = await source.decode(next, await source.open(next))
      if (!(other instanceof CaeError)) return this.#good(next, other)
      bad.add(source.record(next, other))
    }
    throw new CaeError('ERR_CAE_DATA', { what: `none of the ${batch.order.length} images can be used` })
  }

  #good(index: number, image: DecodedImage): DecodedSample {
    const { source, bad } = this.#options
    bad.countGood()
    return { ...image, index, label: source.label(index) }
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}

/** Found bad earlier in this run: not read again. */
const knownToBeBad = new CaeError('ERR_CAE_BAD_IMAGE', { what: 'found bad before' })

/** One sample of the plan. */
interface Place {
  readonly batch: PlannedBatch
  readonly place: number
  /** In the data set. */
  readonly index: number
}

async function* placesOf(batches: AsyncIterable<PlannedBatch>): AsyncGenerator<Place> {
  for await (const batch of batches) {
    for (let place = batch.from; place < batch.to; place++) yield { batch, place, index: batch.order[place] ?? 0 }
  }
}
