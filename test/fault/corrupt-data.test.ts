import { readFileSync } from 'node:fs'
import { mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { trainCAE } from '../../src/api/train.js'
import type { BadImage } from '../../src/data/bad-images.js'
import type { Dataset } from '../../src/data/dataset.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import type { TrainEvent, TrainSummary } from '../../src/train/events.js'
import { damagedFiles, mishaps } from '../support/corrupt-files.js'
import { drawImage, encodeImage } from '../support/images.js'
import { unpackedArchive } from '../support/shared-data.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { drawnImages, tinyRun } from '../support/tiny-run.js'

jest.setTimeout(120_000) // a busy machine

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

interface Outcome {
  readonly summary: TrainSummary | undefined
  readonly error: unknown
  readonly events: readonly TrainEvent[]
  readonly bad: readonly BadImage[]
}

/** Trains, and collects all that is told. `onEvent` may change the data, or abort. */
async function run(options: TrainOptions, onEvent?: (event: TrainEvent) => unknown): Promise<Outcome> {
  const training = trainCAE(options)
  const events: TrainEvent[] = []
  let summary: TrainSummary | undefined
  let error: unknown
  try {
    for await (const event of training) {
      events.push(event)
      await onEvent?.(event)
    }
    const result = await training
    summary = result.summary
    await result.model.dispose()
  } catch (reason) {
    error = reason
  }
  const lines = await readFile(join(options.out, 'bad-images.jsonl'), 'utf8').catch(() => '')
  const bad = lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line): BadImage => JSON.parse(line))
  return { summary, error, events, bad }
}

/** Twelve small PNG files in `photos`; gives their names. */
async function makePhotos(count = 12): Promise<string[]> {
  await mkdir(at('photos'))
  const names = Array.from({ length: count }, (_, index) => `${String(index).padStart(2, '0')}.png`)
  for (const [index, name] of names.entries()) await writeFile(at('photos', name), await encodeImage(drawImage(index, 36, 32), 'png'))
  return names
}

const photoRun = (change: Partial<TrainOptions> = {}) =>
  tinyRun(at('run'), { data: at('photos'), cache: 'off', prefetchBytes: 1, figureEvery: 0, maxBadFraction: 0.5, ...change })
const warnings = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === 'warning' && event.code !== 'NOTE' ? [event.message] : []))

interface HostileFile {
  readonly file: string
  readonly expect: 'decode' | 'either' | 'reject' | 'limit'
}
const hostile = unpackedArchive('data/hostile-images.tar.gz')
const hostileTest = hostile === undefined ? test.skip : test
hostileTest('every file of a hostile collection goes through a training: used, or set apart with its reason', async () => {
  const root = join(hostile ?? '', 'hostile')
  const files: HostileFile[] = JSON.parse(readFileSync(join(root, 'manifest.json'), 'utf8')).files
  const path = (index: number) => join(root, files[index]?.file ?? '')
  const data: Dataset = { length: files.length, get: path, name: path }
  const before = process.memoryUsage.rss()
  const { summary, bad, error } = await run(
    tinyRun(at('run'), { data, steps: undefined, epochs: 2, batchSize: 8, maxBadFraction: 1, figureEvery: 0 }),
  )
  expect(error).toBeUndefined()
  expect(files.length % 8).toBe(0) // so an epoch visits every file
  expect(summary).toMatchObject({ epochs: 2, skippedSteps: 0, badImages: bad.length })
  expect(Number.isFinite(summary?.metrics.loss)).toBe(true)
  const reasons = new Map(bad.map(({ index, reason }) => [index, reason]))
  expect(reasons.size).toBe(bad.length)
  files.forEach(({ file, expect: verdict }, index) => {
    const reason = reasons.get(index)
    if (verdict === 'reject' || verdict === 'limit') expect([file, reason]).toEqual([file, expect.stringMatching(/\w/)])
    if (verdict === 'decode' && reason !== undefined) expect([file, reason]).toEqual([file, 'unsupported format: BMP'])
  })
  expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(512) // the training itself among it
})

test('kinds of damage: each bad file has its reason, and the good ones train', async () => {
  await makePhotos(24)
  const reasons: Record<string, RegExp> = {
    truncated: /cannot decode the image/,
    'header-only': /cannot decode the image/,
    empty: /the image is empty: 0 bytes/,
    zeros: /not an image: no known signature/,
    page: /unsupported format: HTML/,
    huge: /pixel limit/,
    'huge-header': /pixel limit/,
  }
  const files = Object.entries(await damagedFiles())
  for (const [kind, { extension, content }] of files) await writeFile(at('photos', `${kind}.${extension}`), content)
  await symlink(at('nowhere'), at('photos', 'dangling.jpg'))
  const before = process.resourceUsage().maxRSS
  const { summary, bad, error } = await run(photoRun({ steps: undefined, epochs: 2, batchSize: 6 }))
  expect(error).toBeUndefined()
  const reasonOf = (name: string) => bad.find((record) => record.name === at('photos', name))
  for (const [kind, { extension, good }] of files) {
    const reason = reasonOf(`${kind}.${extension}`)?.reason
    expect([kind, reason]).toEqual([kind, good ? undefined : expect.stringMatching(reasons[kind] ?? /unknown/)])
  }
  expect(reasonOf('dangling.jpg')).toMatchObject({ code: 'ENOENT' })
  expect(summary?.badImages).toBe(8)
  expect((process.resourceUsage().maxRSS - before) / 2 ** 10).toBeLessThan(200) // no raster of 600 megapixels
})

describe('files that do not stay as they are', () => {
  test('those that vanish, are replaced or cut, become pipes or folders: all set apart, none trained on', async () => {
    const names = await makePhotos()
    const steps = (12 * names.length) / 4
    let isDone = false
    const { summary, events, bad, error } = await run(photoRun({ steps, checkpointEvery: 0 }), async ({ type }) => {
      if (type !== 'epoch' || isDone) return
      isDone = true
      for (const [index, { befall }] of Object.values(mishaps).entries()) await befall(at('photos', names[index] ?? ''))
      await utimes(at('photos', '09.png'), 0, 0) // no change of what is in it
    })
    expect(error).toBeUndefined()
    expect(summary).toMatchObject({ steps, badImages: 5 })
    const codes = [...bad].sort((a, b) => a.index - b.index).map(({ index, code }) => [index, code])
    expect(codes).toEqual(Object.values(mishaps).map(({ code }, index) => [index, code]))
    expect(warnings(events)).toHaveLength(new Set(codes.map(([, code]) => code)).size) // one a kind
    expect(bad.find(({ code }) => code === 'CHANGED')?.reason).toMatch(/changed during the run/)
  })

  test('one that was changed between two parts of a run is told by the second', async () => {
    await makePhotos()
    const controller = new AbortController()
    const stop = new Error('stopped by the test')
    const options = photoRun({ steps: 12, resume: 'auto' })
    const first = await run({ ...options, signal: controller.signal }, (event) => {
      if (event.type === 'step' && event.step >= 3) controller.abort(stop)
    })
    expect([first.error, first.bad]).toEqual([stop, []])
    await writeFile(at('photos', '03.png'), await encodeImage(drawImage(99, 36, 32), 'png'))
    await writeFile(at('photos', '04.png'), await readFile(at('photos', '04.png'))) // copied anew: the same image
    const second = await run(options)
    expect(second).toMatchObject({ error: undefined, summary: { badImages: 1 }, bad: [{ index: 3, code: 'CHANGED' }] })
  })

  test('an image that was bad for a while stays out, so that a resumed run is the unbroken one', async () => {
    const good = drawnImages(22)
    /** Image 7 cannot be had the first time that a process asks for it, or at all times before `repaired`. */
    const data = (isBad: () => boolean): Dataset => ({
      ...good,
      get: (index) => (index === 7 && isBad() ? Buffer.from('bad') : good.get(index)),
    })
    const options = (out: string, isBad: () => boolean) =>
      tinyRun(at(out), { data: data(isBad), steps: 14, figureEvery: 0, resume: 'auto' })
    let asked = 0
    const unbroken = await run(options('unbroken', () => asked++ === 0))
    expect(unbroken.bad).toHaveLength(1)
    const controller = new AbortController()
    const broken = options('broken', () => true)
    const first = await run({ ...broken, signal: controller.signal }, (event) => {
      if (event.type === 'step' && event.step >= 7) controller.abort(new Error('stop'))
    })
    expect(first.bad).toHaveLength(1)
    const second = await run(options('broken', () => false))
    expect(second.summary?.badImages).toBe(1)
    for (const file of ['model.safetensors', 'optimizer.safetensors']) {
      const [want, got] = await Promise.all(['unbroken', 'broken'].map((out) => readFile(at(out, 'checkpoints/latest', file))))
      expect(got?.equals(want ?? Buffer.alloc(0))).toBe(true)
    }
  })

  test('known bad images count against maxBadFraction after a resume as well', async () => {
    const good = drawnImages(22)
    const data = (bad: readonly number[]): Dataset => ({
      ...good,
      get: (index) => (bad.includes(index) ? Buffer.from('bad') : good.get(index)),
    })
    const options = { steps: undefined, figureEvery: 0, resume: 'auto', maxBadFraction: 0.05 } as const
    const first = await run(tinyRun(at('run'), { ...options, data: data([3]), epochs: 6 }), undefined)
    expect(first.bad).toHaveLength(1)
    const controller = new AbortController()
    await run(tinyRun(at('two'), { ...options, data: data([3]), epochs: 6, signal: controller.signal }), (event) => {
      if (event.type === 'step' && event.step >= 6) controller.abort(new Error('stop'))
    })
    const second = await run(tinyRun(at('two'), { ...options, data: data([3, 4]), epochs: 6 }))
    expect(second.error).toMatchObject({
      code: 'ERR_CAE_DATA',
      message: expect.stringMatching(/2 of 22 images cannot be used; maxBadFraction 0.05 allows 1/),
    })
  })
})

describe('reads that stall', () => {
  const good = drawnImages(22)
  const stalled = (indices: readonly number[]): Dataset => ({
    ...good,
    get: (index) => (indices.includes(index) ? new Promise(() => undefined) : Promise.resolve(good.get(index))),
  })

  test('a source that never answers for some images: they are set apart, and the run goes on', async () => {
    const { summary, bad, events, error } = await run(
      tinyRun(at('run'), { data: stalled([3, 11]), steps: 12, readTimeout: 0.1, maxBadFraction: 0.1, figureImages: 22 }),
    )
    expect(error).toBeUndefined()
    expect(summary).toMatchObject({ steps: 12, badImages: 2 })
    expect(bad.map(({ index, code }) => [index, code]).sort()).toEqual([
      [11, 'ETIMEDOUT'],
      [3, 'ETIMEDOUT'],
    ])
    expect(warnings(events)).toEqual([expect.stringMatching(/longer than readTimeout, 0.1 s, 3 times/)])
    expect(events.some((event) => event.type === 'figure' && event.name === 'reconstruction')).toBe(true) // made of the others
  })

  test('an abort during a stall ends the run at once, with a checkpoint of what was learned', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    let last = 0
    const { error, events } = await run(
      { ...tinyRun(at('run'), { data: stalled([3]), steps: 50, readTimeout: 3600, prefetchBytes: 1 }), signal: controller.signal },
      (event) => {
        if (event.type !== 'step') return
        last = event.step
        // The stalled image is in the first epoch; no step comes after it.
        setTimeout(() => controller.abort(reason), 500).unref()
      },
    )
    expect(error).toBe(reason)
    expect(last).toBeLessThan(6)
    expect(events.filter(({ type }) => type === 'checkpoint')).toMatchObject(last === 0 ? [] : [{ step: last }])
  })
})
