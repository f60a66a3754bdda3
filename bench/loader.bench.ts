import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { CacheSize } from '#lib/data/cache.js'
import type { Dataset } from '#lib/data/dataset.js'
import { decodeDefaults } from '#lib/data/decode.js'
import { createLoader, type LoadedBatch } from '#lib/data/loader.js'
import { SeenContent } from '#lib/data/seen-content.js'
import { imageFolder } from '#lib/data/sources/image-folder.js'
import { openData } from '#lib/data/sources/registry.js'
import type { Addon } from '#lib/native/addon.js'
import { loadAddon } from '#lib/native/load.js'
import { type BenchContext, type BenchOptions, defineBench, integer } from './harness/bench.js'
import { LineProcess } from './harness/line-process.js'
import { cutPhotos } from './harness/photos.js'
import { findPython } from './harness/python.js'
import { type Lane, race } from './harness/rounds.js'
import { packShards } from './harness/shards.js'
import { temporaryFolder } from './harness/synthetic.js'

const root = join(__dirname, '..', '..')
const quality = 92
const Pass = z.object({ ms: z.number(), images: z.number() })

interface Setting {
  readonly size: number
  readonly batchSize: number
}

/** The loader alone: files to batches of random crops, flipped and normalised, against a torchvision DataLoader on the same files. */
export const loaderBench = defineBench({
  name: 'loader',
  summary: 'files to batches: without and from the cache, against a torchvision DataLoader with worker processes',
  options: {
    data: { type: 'string' },
    cut: { type: 'string', default: '500x375' },
    count: { type: 'string', default: '1024' },
    size: { type: 'string', default: '224' },
    'batch-size': { type: 'string', default: '64' },
    workers: { type: 'string', default: '2' },
    /** Pack the files into so many tar shards first; 0: read them as files. */
    shards: { type: 'string', default: '0' },
  },
  async run(options: BenchOptions, context: BenchContext) {
    const setting = { size: integer(options, 'size', { min: 1 }), batchSize: integer(options, 'batch-size', { min: 1 }) }
    const workers = integer(options, 'workers', { min: 0 })
    const folder = await temporaryFolder()
    try {
      const files = await prepare(options, folder, context)
      const dataset = await openData(files)
      const addon = await loadAddon()
      const python = await findPython('torchvision')
      await using peer = python === null ? undefined : startPeer(python.command, files, setting, workers)
      await peer?.next(z.object({ ready: z.literal(true) }))
      await using cached = new Epochs(addon, dataset, setting, 'auto')

      const ours: Lane = { name: 'ours', run: (repeats) => meanMs(repeats, () => wholePass(addon, dataset, setting)) }
      const fromCache: Lane = { name: 'cache', run: (repeats) => meanMs(repeats, () => cached.next()) }
      const torchvision = peer && {
        name: 'torchvision',
        run: async (repeats: number) => (await peer.request({ do: 'epoch', repeats }, Pass)).ms,
      }
      const timings = await race([ours, fromCache, ...(torchvision === undefined ? [] : [torchvision])], {
        rounds: context.rounds,
        warmup: 1,
        minRoundMs: 1000,
        onRound: (round, ms) =>
          context.say(`round ${round + 1}: ${[...ms].map(([name, value]) => `${name} ${value.toFixed(0)} ms`).join(', ')}`),
      })

      const rate = (name: string) => {
        const timing = timings.get(name)
        return timing === undefined ? null : (dataset.length / timing.medianMs) * 1e3
      }
      const [own, theirs] = [rate('ours'), rate('torchvision')]
      return {
        parameters: {
          files: [...(options.shards === '0' ? [] : [`tar-${options.shards}`]), options.cut === 'none' ? 'as-is' : options.cut].join('-'),
          size: setting.size,
          batchSize: setting.batchSize,
          workers,
        },
        figures: {
          imagesPerSecond: own,
          cachedImagesPerSecond: rate('cache'),
          torchvisionImagesPerSecond: theirs,
          ratio: own === null || theirs === null ? null : own / theirs,
        },
        details: { images: dataset.length, torchvision: python?.version ?? null, timings: Object.fromEntries(timings) },
        goals: [
          { figure: 'ratio', atLeast: 2 },
          ...(setting.size > 32
            ? []
            : [
                { figure: 'imagesPerSecond', atLeast: 8000 },
                { figure: 'cachedImagesPerSecond', atLeast: 25_000 },
              ]),
        ],
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})

/** The files to load: those of `--data` as they are, or photographs cut from them; in shards where wanted. */
async function prepare(options: BenchOptions, folder: string, context: BenchContext): Promise<string> {
  const files = await prepareFiles(options, folder, context)
  const shards = integer(options, 'shards', { min: 0 })
  if (shards === 0) return files
  const { paths, label } = await imageFolder(files)
  const target = join(folder, 'shards')
  await packShards(shuffled(paths.map((path, index) => ({ path, label: label?.(index) ?? 0 }))), target, shards)
  return target
}

async function prepareFiles(options: BenchOptions, folder: string, context: BenchContext): Promise<string> {
  if (typeof options.data !== 'string') throw new RangeError('--data names a folder of images')
  if (options.cut === 'none') return options.data
  const size = /^(\d+)x(\d+)$/.exec(String(options.cut))
  if (size === null) throw new RangeError(`--cut is WIDTHxHEIGHT or none, not ${JSON.stringify(options.cut)}`)
  const set = { width: Number(size[1]), height: Number(size[2]), count: integer(options, 'count', { min: 1 }), quality }
  context.say(`cutting ${set.count} photographs of ${set.width} x ${set.height} from ${options.data}`)
  await cutPhotos(options.data, folder, set)
  return folder
}

/** Shards are written shuffled: readers that go through them in order see the classes mixed. The same order in every run. */
function shuffled<Item>(items: Item[]): Item[] {
  for (let place = items.length - 1, state = 1; place > 0; place--) {
    state = (state * 48271) % 2147483647
    const other = state % (place + 1)
    const [one, two] = [items[place], items[other]]
    if (one !== undefined && two !== undefined) [items[place], items[other]] = [two, one]
  }
  return items
}

function loaderFor(addon: Addon, dataset: Dataset, { size, batchSize }: Setting, cacheBytes: CacheSize, epochs: number) {
  return createLoader({
    ...decodeDefaults,
    addon,
    dataset,
    collate: {
      ...{
        height: size,
        width: size,
        viewHeight: 0,
        viewWidth: 0,
        viewInterpolation: 'bicubic',
        crop: 'random',
        scaleMin: 0.08,
        scaleMax: 1,
        ratioMin: 3 / 4,
        ratioMax: 4 / 3,
        resizeShort: size,
      },
      ...{ flip: 0.5, interpolation: 'bicubic', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], mask: null },
    },
    seed: 0,
    batchSize,
    order: 'shuffled',
    dropLast: false,
    epochs,
    // A few batches: what was made ahead between two turns must not count.
    prefetchBytes: 8 * batchSize * 3 * size ** 2 * Float32Array.BYTES_PER_ELEMENT,
    cacheBytes,
    seen: new SeenContent(dataset.length), // as a training has it
    maxBadFraction: 0,
  })
}

/** Every image once, read and decoded. */
async function wholePass(addon: Addon, dataset: Dataset, setting: Setting): Promise<void> {
  for await (const batch of loaderFor(addon, dataset, setting, 'off', 1)) await addon.dispose(batch.handle)
}

/** One loader that goes round and round: after its first epoch the images come from its cache. */
class Epochs implements AsyncDisposable {
  readonly #addon: Addon
  readonly #loader: ReturnType<typeof loaderFor>
  readonly #batches: AsyncIterator<LoadedBatch>

  constructor(addon: Addon, dataset: Dataset, setting: Setting, cacheBytes: CacheSize) {
    this.#addon = addon
    this.#loader = loaderFor(addon, dataset, setting, cacheBytes, Number.POSITIVE_INFINITY)
    this.#batches = this.#loader[Symbol.asyncIterator]()
  }

  async next(): Promise<void> {
    for (let i = 0; i < this.#loader.batchesPerEpoch; i++) {
      const { value, done } = await this.#batches.next()
      if (done !== true) await this.#addon.dispose(value.handle)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#batches.return?.()
    await this.#loader.close()
  }
}

async function meanMs(repeats: number, pass: () => Promise<void>): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < repeats; i++) await pass()
  return (performance.now() - start) / repeats
}

function startPeer(python: string, files: string, { size, batchSize }: Setting, workers: number): LineProcess {
  const script = join(root, 'bench', 'reference', 'loader.py')
  const args = [script, '--data', files, '--size', size, '--batch-size', batchSize, '--workers', workers]
  return new LineProcess('torchvision', python, args.map(String))
}
