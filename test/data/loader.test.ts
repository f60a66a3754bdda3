import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { BadImage } from '../../src/data/bad-images.js'
import type { Dataset, ImageInput } from '../../src/data/dataset.js'
import { createLoader, type LoadedBatch, type LoaderOptions } from '../../src/data/loader.js'
import { epochOrder, holdOut } from '../../src/data/order.js'
import { imageFolder } from '../../src/data/sources/image-folder.js'
import type { Addon } from '../../src/native/addon.js'
import { loadAddon } from '../../src/native/load.js'
import type { CollateSpec } from '../../src/native/types.js'
import { until } from '../support/event-loop.js'
import { drawImage, encodeImage } from '../support/images.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const count = 20
let addon: Addon
let jpegs: Buffer[]

beforeAll(async () => {
  addon = await loadAddon()
  jpegs = await Promise.all(Array.from({ length: count }, (_, seed) => encodeImage(drawImage(seed, 24 + seed, 32), 'jpeg')))
})

const collate: Omit<CollateSpec, 'seed' | 'epoch'> = {
  height: 16,
  width: 16,
  crop: 'random',
  scaleMin: 0.3,
  scaleMax: 1,
  ratioMin: 0.75,
  ratioMax: 4 / 3,
  viewHeight: 0,
  viewWidth: 0,
  viewInterpolation: 'bicubic',
  resizeShort: 16,
  flip: 0.5,
  interpolation: 'bicubic',
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  mask: { shape: 'random', gridHeight: 4, gridWidth: 4, count: 8, minBlock: 1, maxBlock: 8 },
}

/** The images in memory; those in `bad` are not images. */
function memory(bad: readonly number[] = [], get?: (index: number) => Promise<ImageInput> | ImageInput): Dataset {
  const text = Buffer.from('not an image at all')
  return {
    length: count,
    get: (index) => (bad.includes(index) ? text : (get?.(index) ?? jpegs[index] ?? text)),
    label: (index) => index % 3,
    name: (index) => `image-${index}`,
  }
}

function loaderOf(options: Partial<LoaderOptions> = {}) {
  return createLoader({
    addon,
    dataset: memory(),
    collate,
    seed: 5,
    batchSize: 4,
    order: 'shuffled',
    dropLast: true,
    epochs: 1,
    prefetchBytes: 2 ** 24,
    cacheBytes: 'off',
    alpha: 'drop',
    exif: true,
    maxPixels: 1e6,
    maxBadFraction: 0.5,
    ...options,
  })
}

/** What a loader gives, with the pixels and masks read back; every handle is disposed of. */
async function collect(options: Partial<LoaderOptions> = {}) {
  const loader = loaderOf(options)
  const batches: { indices: readonly number[]; labels: Int32Array; epoch: number; pixels: string; mask: string }[] = []
  for await (const batch of loader) batches.push(await contentOf(batch))
  return { batches, stats: loader.stats(), indices: batches.map((batch) => batch.indices) }
}

async function contentOf({ handle, indices, labels, epoch }: LoadedBatch) {
  const { images, mask } = await addon.readBatch(handle)
  await addon.dispose(handle)
  expect(images.shape).toEqual([indices.length, 3, 16, 16])
  const bytes = Buffer.from(images.data.buffer, images.data.byteOffset, images.data.byteLength)
  return { indices, labels, epoch, pixels: bytes.toString('base64'), mask: mask?.data.join('') ?? '' }
}

async function failure(loader: AsyncIterable<LoadedBatch>): Promise<unknown> {
  try {
    for await (const { handle } of loader) await addon.dispose(handle)
  } catch (error) {
    return error
  }
  throw new Error('the loader ended without an error')
}

test('deals each epoch in the order of its permutation, with labels', async () => {
  const { batches } = await collect({ epochs: 2 })
  const orders = await Promise.all([0, 1].map((epoch) => epochOrder(count, 5, epoch)))
  expect(batches.flatMap((batch) => batch.indices)).toEqual(orders.flatMap((order) => [...order]))
  expect(batches.map((batch) => batch.epoch)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
  for (const { indices, labels } of batches) expect([...labels]).toEqual(indices.map((index) => index % 3))
})

test('the same samples, crops and masks whatever the prefetch, the cache and the speed of the source', async () => {
  const { batches } = await collect({ epochs: 2 })
  const uneven = memory([], (index) => new Promise((resolve) => setTimeout(() => resolve(jpegs[index] ?? ''), (index * 7) % 5)))
  for (const options of [
    { prefetchBytes: 1 },
    { prefetchBytes: 2 ** 30, cacheBytes: 'auto' },
    { cacheBytes: 20_000 },
    { dataset: uneven },
  ] as const) {
    expect((await collect({ epochs: 2, ...options })).batches).toEqual(batches)
  }
})

test('a resumed run goes on with the very next batch, and reads nothing that it leaves out', async () => {
  const { batches } = await collect({ epochs: 3, dropLast: true, batchSize: 6 })
  expect(batches).toHaveLength(9)
  for (let startBatch = 0; startBatch <= 9; startBatch++) {
    const read = new Set<number>()
    const dataset = memory([], (index) => {
      read.add(index)
      return jpegs[index] ?? ''
    })
    const resumed = await collect({ epochs: 3, batchSize: 6, startBatch, dataset })
    expect(resumed.batches).toEqual(batches.slice(startBatch))
    expect([...read].sort()).toEqual([...new Set(resumed.indices.flat())].sort())
  }
})

test('without dropLast the last batch is short', async () => {
  const { indices } = await collect({ batchSize: 8, dropLast: false })
  expect(indices.map((batch) => batch.length)).toEqual([8, 8, 4])
  expect(indices.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index))
})

test('batches that make one step together are never dealt over two epochs', async () => {
  const { batches } = await collect({ batchSize: 3, batchesPerStep: 2, epochs: 2 })
  expect(batches.map((batch) => batch.epoch)).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
  expect((await collect({ batchSize: 3, batchesPerStep: 2, epochs: 2, startBatch: 8 })).batches).toEqual(batches.slice(8))
})

test('sequential keeps the order of the indices given', async () => {
  const { indices } = await collect({ indices: [7, 3, 11], order: 'sequential', dropLast: false, batchSize: 2 })
  expect(indices).toEqual([[7, 3], [11]])
})

test('images held out are never trained on', async () => {
  const { training, heldOut } = await holdOut(count, 5, 5)
  const { indices } = await collect({ indices: training, epochs: 3, batchSize: 3 })
  expect(indices).toHaveLength(15)
  expect(indices.flat().filter((index) => heldOut.includes(index))).toEqual([])
})

test('decodes an image once: later epochs come from the cache', async () => {
  expect((await collect({ epochs: 3, cacheBytes: 'auto' })).stats.decoded).toBe(count)
  expect((await collect({ epochs: 3, cacheBytes: 'off' })).stats.decoded).toBe(3 * count)
})

describe('bad images', () => {
  test('the next good image of the order takes the place, and every bad one is told once', async () => {
    const order = await epochOrder(count, 5, 0)
    const bad = [order[2], order[3], order[19]].map((index) => index ?? -1)
    const told: BadImage[] = []
    const { batches, stats } = await collect({ dataset: memory(bad), onBad: (record) => told.push(record), epochs: 2 })
    const expected = [...order]
    for (const [place, from] of [
      [2, 4],
      [3, 4],
      [19, 0],
    ] as const)
      expected[place] = order[from] ?? -1
    expect(batches.slice(0, 5).flatMap((batch) => batch.indices)).toEqual(expected)
    expect(stats.bad).toBe(3)
    expect(told.map((record) => record.index).sort()).toEqual(bad.sort())
    expect(told[0]).toMatchObject({
      code: 'ERR_CAE_BAD_IMAGE',
      reason: 'not an image: no known signature',
      name: `image-${told[0]?.index}`,
    })
  })

  test('the same replacements whatever the prefetch and wherever the run goes on', async () => {
    const options = { dataset: memory([1, 4, 9, 16]), epochs: 2 }
    const { batches } = await collect(options)
    expect((await collect({ ...options, prefetchBytes: 1 })).batches).toEqual(batches)
    for (const startBatch of [1, 3, 7]) expect((await collect({ ...options, startBatch })).batches).toEqual(batches.slice(startBatch))
  })

  test('are left out of a sequential pass', async () => {
    const { indices } = await collect({ dataset: memory([0, 4, 5, 6, 7]), order: 'sequential', dropLast: false })
    expect(indices).toEqual([
      [1, 2, 3],
      [8, 9, 10, 11],
      [12, 13, 14, 15],
      [16, 17, 18, 19],
    ])
  })

  test('too many of them end the run with the counts and the first reasons', async () => {
    const loader = loaderOf({ dataset: memory([1, 4, 9]), maxBadFraction: 0.1, epochs: 2 })
    expect(await failure(loader)).toMatchObject({
      code: 'ERR_CAE_DATA',
      message: expect.stringMatching(/3 of 20 images cannot be used; maxBadFraction 0.1 allows 2.*image-\d+: not an image/s),
    })
  })

  test('nothing but bad images ends soon, whatever is allowed', async () => {
    const all = Array.from({ length: count }, (_, index) => index)
    for (const order of ['shuffled', 'sequential'] as const) {
      expect(await failure(loaderOf({ dataset: memory(all), maxBadFraction: 1, order }))).toMatchObject({
        code: 'ERR_CAE_DATA',
        message: expect.stringMatching(/none of the 20 images tried so far \(of 20\) can be used/),
      })
    }
  })

  test('a file that vanishes during the run is one', async () => {
    for (const [index, jpeg] of jpegs.entries()) await writeFile(join(folder(), `${index + 10}.jpg`), jpeg)
    const told: BadImage[] = []
    const dataset = await imageFolder(folder())
    const loader = loaderOf({ dataset, onBad: (record) => told.push(record), epochs: Number.POSITIVE_INFINITY })
    await rm(join(folder(), '14.jpg'))
    for await (const { handle } of loader) {
      await addon.dispose(handle)
      if (told.length > 0) break
    }
    expect(told).toMatchObject([{ index: 4, code: 'ENOENT', name: join(folder(), '14.jpg'), reason: expect.stringMatching(/ENOENT/) }])
  })

  test('a source that throws, or rejects, makes one', async () => {
    for (const get of [
      () => Promise.reject(new Error('gone')),
      () => {
        throw new Error('gone')
      },
    ]) {
      const told: BadImage[] = []
      await collect({ dataset: memory([], (index) => (index === 3 ? get() : (jpegs[index] ?? ''))), onBad: (record) => told.push(record) })
      expect(told).toEqual([{ index: 3, name: 'image-3', code: 'ERR_CAE_BAD_IMAGE', reason: 'gone' }])
    }
  })
})

describe('the end', () => {
  test('a batch larger than the set is refused at once', () => {
    expect(() => loaderOf({ batchSize: 21 })).toThrow(
      expect.objectContaining({
        code: 'ERR_CAE_OPTION',
        message: expect.stringMatching(/batchSize 21 is larger than the data set: 20 images/),
      }),
    )
  })

  test('leaving the loop frees what was made ahead', async () => {
    const disposed: unknown[] = []
    const made: unknown[] = []
    const counting = {
      ...addon,
      collate: async (...args: Parameters<Addon['collate']>) => {
        const handle = await addon.collate(...args)
        made.push(handle)
        return handle
      },
      dispose: (handle: LoadedBatch['handle']) => {
        disposed.push(handle)
        return addon.dispose(handle)
      },
    }
    for await (const { handle } of loaderOf({ addon: counting, epochs: Number.POSITIVE_INFINITY })) {
      await counting.dispose(handle)
      await until(() => made.length > 2) // batches that nobody will take
      break
    }
    expect(new Set(disposed)).toEqual(new Set(made))
  })

  test.each([
    ['before the first batch', 0],
    ['in the middle', 3],
  ])('an abort %s rejects with its reason', async (_, after) => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const loader = loaderOf({ epochs: Number.POSITIVE_INFINITY, signal: controller.signal })
    if (after === 0) controller.abort(reason)
    let batches = 0
    const run = async () => {
      for await (const { handle } of loader) {
        await addon.dispose(handle)
        if (++batches === after) controller.abort(reason)
      }
    }
    await expect(run()).rejects.toBe(reason)
    expect(batches).toBe(after)
  })

  test('an abort ends a wait for a source that never answers', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const loader = loaderOf({ dataset: memory([], () => new Promise(() => undefined)), signal: controller.signal })
    const first = loader[Symbol.asyncIterator]().next()
    setImmediate(() => controller.abort(reason))
    await expect(first).rejects.toBe(reason)
    await loader.close()
  })

  test('after close nothing comes', async () => {
    const loader = loaderOf()
    await loader.close()
    await loader.close()
    expect(await failure(loader)).toMatchObject({ code: 'ERR_CAE_DISPOSED' })
  })
})

test('the next batches are made while the consumer is busy', async () => {
  const loader = loaderOf({ epochs: 2 })
  const batches = loader[Symbol.asyncIterator]()
  const first = await batches.next()
  await new Promise((resolve) => setTimeout(resolve, 100)) // the consumer's step
  const before = loader.stats().waitNs
  const second = await batches.next()
  expect((loader.stats().waitNs - before) / 1e6).toBeLessThan(5)
  for (const { value } of [first, second]) await addon.dispose(value.handle)
  await loader.close()
})
