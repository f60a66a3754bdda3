import { lstat, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { train, trainCAE } from '../../src/api/train.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { verifyCheckpoint } from '../../src/train/checkpoint.js'
import type { TrainEvent } from '../../src/train/events.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'
import { drawnImages, tinyRun } from '../support/tiny-run.js'

jest.setTimeout(30_000) // each takes well under a second on a quiet machine

const folder = temporaryFolder()
const out = () => join(folder(), 'run')

async function events(run: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = []
  for await (const event of run) all.push(event)
  return all
}

test('a run trains, and leaves configuration, metrics, checkpoints, pictures and TensorBoard events', async () => {
  const run = trainCAE(tinyRun(out(), { holdout: 2, checkpointEvery: 3, keepLast: 2, figureEvery: 4 }))
  const seen = await events(run)
  const result = await run
  await using model = result.model

  expect(result.out).toBe(out())
  expect(result.summary).toMatchObject({
    steps: 8,
    epochs: 1.6,
    badImages: 0,
    skippedSteps: 0,
    checkpoint: join(out(), 'checkpoints/step-8'),
  })
  expect(result.summary.metrics).toMatchObject({ loss: expect.any(Number), loss_main: expect.any(Number), loss_align: expect.any(Number) })
  expect((await readdir(out())).sort()).toEqual(['checkpoints', 'config.json', 'images', 'metrics.jsonl', 'tensorboard'])
  expect((await readdir(join(out(), 'checkpoints'))).sort()).toEqual(['latest', 'step-6', 'step-8'])
  expect((await readdir(join(out(), 'images'))).sort()).toEqual(['loss.png', 'reconstruction-step-4.png', 'reconstruction.png'])
  expect(await readdir(join(out(), 'tensorboard'))).toHaveLength(1)
  expect((await lstat(join(out(), 'checkpoints/latest'))).isSymbolicLink()).toBe(true)
  await verifyCheckpoint(join(out(), 'checkpoints/latest'))

  const lines = (await readFile(join(out(), 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  const config = JSON.parse(await readFile(join(out(), 'config.json'), 'utf8'))
  expect(config).toMatchObject({ train: { steps: 8, precision: 'fp32', device: 'cpu', seed: 5, method: 'cae' }, data: { images: 22 } })
  expect(config.model).toMatchObject({ embedDim: 16, imageSize: [32, 32], maskCount: 8 })
  expect(config.versions).toEqual({ package: expect.any(String), libtorch: expect.any(String), node: process.versions.node })

  // Step events may coalesce; everything else is there, in order, but for checkpoints, which are told when they are complete.
  const told = seen.map(({ type }) => type).filter((type) => type !== 'step' && type !== 'warning')
  expect(told.filter((type) => type !== 'checkpoint')).toEqual([
    'start',
    'measure',
    'figure',
    'epoch',
    'measure',
    'figure',
    'figure',
    'end',
  ])
  expect(told.filter((type) => type === 'checkpoint')).toHaveLength(3)
  expect(seen.find(({ type }) => type === 'start')).toMatchObject({
    steps: 8,
    startStep: 0,
    stepsPerEpoch: 5,
    images: 20,
    batchSize: 4,
    device: 'cpu',
    precision: 'fp32',
  })
  expect(seen.filter(({ type }) => type === 'warning' && 'code' in seen)).toEqual([])

  const weights = await model.weights(['encoder.cls_token'])
  await using file = await openSafetensors(join(out(), 'checkpoints/latest/model.safetensors'))
  expect(file.metadata).toMatchObject({ method: 'cae', config: JSON.stringify(config.model) })
  expect((await file.readFloat32('encoder.cls_token')).data).toEqual(weights['encoder.cls_token']?.data)
})

test('the run of `train` with a method is that of the named function', async () => {
  await (await trainCAE(tinyRun(join(folder(), 'a'), { steps: 2 }))).model.dispose()
  await (await train({ ...tinyRun(join(folder(), 'b'), { steps: 2 }), method: 'cae' })).model.dispose()
  const [a, b] = await Promise.all(['a', 'b'].map((name) => readFile(join(folder(), name, 'checkpoints/step-2/model.safetensors'))))
  expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true)
})

test('the loss falls', async () => {
  const run = trainCAE(tinyRun(out(), { steps: 60, lr: 5e-3, warmupSteps: 5, figureEvery: 0 }))
  const { model } = await run
  await model.dispose()
  const losses = (await readFile(join(out(), 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).loss as number)
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  expect(mean(losses.slice(-10))).toBeLessThan(0.8 * mean(losses.slice(0, 10)))
})

test('a reader that never reads, and one that is slow, do not slow the run', async () => {
  const run = trainCAE(tinyRun(out()))
  let release: () => void = () => undefined
  const stuck = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow = (async () => {
    const seen: TrainEvent[] = []
    for await (const event of run) {
      seen.push(event)
      if (event.type === 'start') await stuck
    }
    return seen
  })()
  const { model } = await run // while the reader is stuck at the start
  await model.dispose()
  release()
  expect((await slow).filter(({ type }) => type === 'step').at(-1)).toMatchObject({ step: 8 })
})

test('an abort in mid-run leaves a checkpoint of the step it finished, no lock, and rejects with the reason itself', async () => {
  const controller = new AbortController()
  const reason = { why: 'shutdown' }
  const run = trainCAE(tinyRun(out(), { steps: 500, signal: controller.signal }))
  const failed = (async () => {
    for await (const event of run) if (event.type === 'step' && event.step >= 3) controller.abort(reason)
  })()
  await expect(failed).rejects.toBe(reason)
  const checkpoint = await verifyCheckpoint(join(out(), 'checkpoints/latest'))
  expect(checkpoint.step).toBeGreaterThanOrEqual(3)
  expect(checkpoint.step).toBeLessThan(500)
  expect(await readdir(out())).not.toContain('run.lock')
})

test('an abort before the run begins leaves nothing', async () => {
  await expect(trainCAE(tinyRun(out(), { signal: AbortSignal.abort('no') }))).rejects.toBe('no')
  expect(await folder.list()).toEqual([])
})

test('a picture that cannot be drawn is a warning', async () => {
  const run = trainCAE(tinyRun(out(), { steps: 2, figureEvery: 1, model: { ...tinyModel, normalizeTarget: true } }))
  const warnings = (await events(run)).filter(({ type }) => type === 'warning')
  await (await run).model.dispose()
  expect(warnings).toContainEqual({ type: 'warning', code: 'NOTE', message: expect.stringMatching(/^no reconstruction picture: /) })
  expect(warnings.filter((warning) => 'message' in warning && warning.message.startsWith('no reconstruction'))).toHaveLength(1)
  expect(await readdir(join(out(), 'images'))).toEqual(['loss.png'])
})

test('weights of another run are where a new one starts', async () => {
  await (await trainCAE(tinyRun(join(folder(), 'a')))).model.dispose()
  const second = await trainCAE(tinyRun(join(folder(), 'b'), { initFrom: join(folder(), 'a'), steps: 1, warmupSteps: 1, lr: 1 })) // one step with lr 0
  await second.model.dispose()
  const [a, b] = await Promise.all(['a', 'b'].map((name) => readFile(join(folder(), name, 'checkpoints/latest/model.safetensors'))))
  expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true)
})

test('bad images are left out, counted, listed once and warned about once', async () => {
  const good = drawnImages(40)
  const data = { ...good, get: (index: number) => (index % 20 === 3 ? Buffer.from('not an image') : good.get(index)) }
  const run = trainCAE(tinyRun(out(), { data, epochs: 2 }))
  const warnings = (await events(run)).filter((event) => event.type === 'warning' && event.code === 'ERR_CAE_BAD_IMAGE')
  const { model, summary } = await run
  await model.dispose()
  expect(summary.badImages).toBe(2)
  expect(warnings).toHaveLength(1)
  const lines = (await readFile(join(out(), 'bad-images.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ index }) => index).sort((a, b) => a - b)).toEqual([3, 23])
  expect(lines[0]).toMatchObject({ name: expect.stringMatching(/^drawn-/), code: 'ERR_CAE_BAD_IMAGE', reason: expect.any(String) })
})

test('a folder deleted in mid-run ends it with a coded error', async () => {
  const run = trainCAE(tinyRun(out(), { steps: 500, checkpointEvery: 4 }))
  const failed = (async () => {
    for await (const event of run) if (event.type === 'step' && event.step === 2) await rm(out(), { recursive: true })
  })()
  await expect(failed).rejects.toMatchObject({ code: 'ERR_CAE_OUTPUT' })
})

test('two runs into one folder at once: the second is refused, the first goes on', async () => {
  const first = trainCAE(tinyRun(out(), { steps: 100 }))
  for await (const event of first) if (event.type === 'start') break
  await expect(trainCAE(tinyRun(out(), { steps: 100, resume: 'auto' }))).rejects.toMatchObject({
    code: 'ERR_CAE_OUTPUT',
    message: expect.stringMatching(/another run/),
  })
  const { model, summary } = await first
  await model.dispose()
  expect(summary.steps).toBe(100)
})
