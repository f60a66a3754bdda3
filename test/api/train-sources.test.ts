import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { trainCAE } from '../../src/api/train.js'
import type { Dataset } from '../../src/data/dataset.js'
import { epochOrder } from '../../src/data/order.js'
import { openData } from '../../src/data/sources/registry.js'
import { webDataset } from '../../src/data/sources/web-dataset.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { timingKeys } from '../../src/train/metrics.js'
import { serveFiles } from '../support/file-server.js'
import { drawImage, encodeImage } from '../support/images.js'
import { writeImageTable } from '../support/parquet.js'
import { writeTar } from '../support/tar.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyRun } from '../support/tiny-run.js'

jest.setTimeout(60_000) // several short trainings

const folder = temporaryFolder()
const at = (name: string) => join(folder(), name)
const cacheBefore = process.env.XDG_CACHE_HOME
const stop = new Error('stopped by the test')

const images = 22
let pngs: Buffer[] = []
beforeAll(async () => {
  pngs = await Promise.all(Array.from({ length: images }, (_, i) => encodeImage(drawImage(i, 36, 32), 'png')))
})

beforeEach(async () => {
  process.env.XDG_CACHE_HOME = at('cache')
  const members = pngs.map((png, i) => [`image-${i}.png`, png] as const)
  await writeTar(at('a-0.tar'), members.slice(0, 9))
  await writeTar(at('a-1.tar'), members.slice(9, 10))
  await writeTar(at('a-2.tar'), members.slice(10))
  const rows = pngs.map((bytes, i) => ({ bytes, path: `image-${i}.png` }))
  await writeImageTable(at('p-0.parquet'), { images: rows.slice(0, 12) }, { pageSize: 2000, rowGroupSize: 5 })
  await writeImageTable(at('p-1.parquet'), { images: rows.slice(12) }, { withoutIndex: true, codec: 'UNCOMPRESSED' })
})

afterEach(() => {
  if (cacheBefore === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = cacheBefore
})

/** Runs to the end, or to an abort after `until` steps. */
async function runTo(until: number, options: TrainOptions): Promise<void> {
  const controller = new AbortController()
  const run = trainCAE({ ...options, resume: 'auto', signal: controller.signal })
  const reading = (async () => {
    for await (const event of run) if (event.type === 'step' && event.step >= until) controller.abort(stop)
  })()
  const result = await Promise.all([run, reading]).catch((error: unknown) => {
    if (error !== stop) throw error
  })
  await result?.[0].model.dispose()
}

/** Everything that must not depend on stops: weights, moments, metrics without times. */
async function results(out: string) {
  const metrics = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trim().split('\n')
  return {
    model: (await readFile(join(out, 'checkpoints/latest/model.safetensors'))).toString('base64'),
    optimizer: (await readFile(join(out, 'checkpoints/latest/optimizer.safetensors'))).toString('base64'),
    metrics: metrics.map((line) => {
      const { ...fields } = JSON.parse(line)
      for (const key of timingKeys) delete fields[key]
      return fields
    }),
  }
}

const steps = 13 // of 4 images: over two epoch borders

test.each([
  ['tar', 'a-{0..2}.tar'],
  ['Parquet', 'p-*.parquet'],
])('N and M steps over %s shards end as N + M steps in one run, in mid-epoch', async (_, name) => {
  const unbroken = tinyRun(at('unbroken'), { data: at(name), steps, figureEvery: 0 })
  await runTo(Number.POSITIVE_INFINITY, unbroken)
  const broken = { ...unbroken, out: at('broken') }
  for (const until of [3, 7, Number.POSITIVE_INFINITY]) await runTo(until, broken)
  expect(await results(broken.out)).toEqual(await results(unbroken.out))
})

test('a resumed run reads no image that it skips', async () => {
  const options = tinyRun(at('run'), { data: at('a-{0..2}.tar'), steps: 5, figureEvery: 0, cache: 'off' })
  await runTo(4, options)
  const set = await openData(at('a-{0..2}.tar'))
  const read: number[] = []
  const watched: Dataset = {
    ...set,
    get(index, signal) {
      read.push(index)
      return set.get(index, signal)
    },
  }
  await runTo(Number.POSITIVE_INFINITY, { ...options, data: watched })
  const order = await epochOrder(images, 5, 0)
  expect(read.slice(0, 4)).toEqual([...order.subarray(16, 20)]) // the fifth step of the first epoch is the first thing read
})

test('the same images give the same run from tar, Parquet and a web server', async () => {
  await using server = await serveFiles({
    'a-0.tar': await readFile(at('a-0.tar')),
    'a-1.tar': await readFile(at('a-1.tar')),
    'a-2.tar': await readFile(at('a-2.tar')),
  })
  const places = [at('a-{0..2}.tar'), at('p-*.parquet'), server.url('a-{0..2}.tar')]
  const all = []
  for (const [i, data] of places.entries()) {
    const options = tinyRun(at(`run-${i}`), { data, steps: 3, figureEvery: 0 })
    await runTo(Number.POSITIVE_INFINITY, options)
    all.push((await results(options.out)).model)
  }
  expect(new Set(all).size).toBe(1)
})

test.each([
  ['tar', 'a-{0..2}.tar', () => writeTar(at('a-1.tar'), [['image-9.png', pngs[3] ?? '']])],
  [
    'Parquet',
    'p-*.parquet',
    () => writeImageTable(at('p-1.parquet'), { images: pngs.slice(0, 10).map((bytes, i) => ({ bytes, path: `image-${i + 12}.png` })) }),
  ],
])('a resumed run refuses %s shards that have changed, though names and number are the same', async (_, name, change) => {
  const options = tinyRun(at('run'), { data: at(name), steps: 6 })
  await runTo(2, options)
  await change()
  await expect(runTo(Number.POSITIVE_INFINITY, options)).rejects.toMatchObject({
    code: 'ERR_CAE_OPTION',
    message: expect.stringMatching(/a resumed run must go on as it began, but data/),
  })
})

test('shards that are moved are the same data', async () => {
  const options = tinyRun(at('run'), { data: at('a-{0..2}.tar'), steps: 4 })
  await runTo(2, options)
  for (const i of [0, 1, 2]) await copyFile(at(`a-${i}.tar`), at(`moved-${i}.tar`))
  await runTo(Number.POSITIVE_INFINITY, { ...options, data: await webDataset(at('moved-{0..2}.tar')) })
})
