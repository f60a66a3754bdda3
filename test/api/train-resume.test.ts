import { cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { trainCAE } from '../../src/api/train.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { verifyCheckpoint } from '../../src/train/checkpoint.js'
import type { TrainEvent } from '../../src/train/events.js'
import { timingKeys } from '../../src/train/metrics.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'
import { drawnImages, tinyRun } from '../support/tiny-run.js'

jest.setTimeout(60_000) // some tests train four times; a machine may be busy with other things

const folder = temporaryFolder()
const stop = new Error('stopped by the test')

/** Runs to the end, or to an abort after `until` steps. */
async function runTo(until: number | undefined, options: TrainOptions): Promise<TrainEvent[]> {
  const controller = new AbortController()
  const seen: TrainEvent[] = []
  const run = trainCAE({ ...options, resume: 'auto', signal: controller.signal })
  const reading = (async () => {
    for await (const event of run) {
      seen.push(event)
      if (event.type === 'step' && until !== undefined && event.step >= until) controller.abort(stop)
    }
  })()
  const result = await Promise.all([run, reading]).catch((error: unknown) => {
    if (error !== stop) throw error
  })
  await result?.[0].model.dispose()
  return seen
}

/** Everything that must not depend on stops: weights, moments, metrics without times. */
async function results(out: string) {
  const newest = join(out, 'checkpoints/latest')
  const metrics = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trim().split('\n')
  return {
    model: (await readFile(join(newest, 'model.safetensors'))).toString('base64'),
    optimizer: (await readFile(join(newest, 'optimizer.safetensors'))).toString('base64'),
    metrics: metrics.map((line) => {
      const { ...fields } = JSON.parse(line)
      for (const key of timingKeys) delete fields[key]
      return fields
    }),
  }
}

const good = drawnImages(22)
const kinds: [name: string, change: Partial<TrainOptions>][] = [
  ['in fp32, in mid-epoch', {}],
  ['in bf16', { precision: 'bf16' }],
  ['with accumulation', { microBatchSize: 2 }],
  ['with a lagging target of momentum 0.9', { model: { ...tinyModel, targetWeights: 'lagged', targetMomentum: 0.9 } }],
  ['with random masks, no cache and hardly any prefetch', { model: { ...tinyModel, maskShape: 'random' }, cache: 'off', prefetchBytes: 1 }],
  ['with bad images among the data', { data: { ...good, get: (index) => (index === 7 ? Buffer.from('bad') : good.get(index)) } }],
  ['with a decaying weight decay and images held out', { weightDecayEnd: 0.2, holdout: 3 }],
]
test.each(kinds)('a run that was stopped twice ends as one that was not: %s', async (_, change) => {
  const unbroken = tinyRun(join(folder(), 'unbroken'), { steps: 14, lr: 1e-2, figureEvery: 0, ...change })
  const broken = { ...unbroken, out: join(folder(), 'broken') }
  await runTo(undefined, unbroken)
  await runTo(3, broken)
  await runTo(8, broken)
  const last = await runTo(undefined, broken)
  expect(last.find(({ type }) => type === 'start')).toMatchObject({ resumedFrom: expect.stringMatching(/step-\d+$/) })
  const [want, got] = [await results(unbroken.out), await results(broken.out)]
  expect(got.metrics).toEqual(want.metrics)
  expect(got.model === want.model).toBe(true)
  expect(got.optimizer === want.optimizer).toBe(true)
})

test('a killed run goes on from its last checkpoint; metrics of lost steps are taken back', async () => {
  const unbroken = tinyRun(join(folder(), 'unbroken'), { steps: 12, figureEvery: 0, checkpointEvery: 5 })
  await runTo(undefined, unbroken)
  // What a kill after step 7, in the middle of a line and of a checkpoint, leaves behind:
  const killed = { ...unbroken, out: join(folder(), 'killed') }
  await runTo(7, killed)
  const checkpoints = join(killed.out, 'checkpoints')
  for (const name of await readdir(checkpoints)) {
    if (name.startsWith('step-') && name !== 'step-5') await rename(join(checkpoints, name), join(checkpoints, `.tmp-${name}-x`))
  }
  await writeFile(join(killed.out, 'metrics.jsonl'), '{"step":8,"lo', { flag: 'a' })
  const events = await runTo(undefined, killed)
  expect(events[0]).toMatchObject({ type: 'start', startStep: 5 })
  expect(await results(killed.out)).toEqual(await results(unbroken.out))
  expect((await readdir(checkpoints)).sort()).toEqual(['latest', 'step-10', 'step-12'])
})

test('a damaged newest checkpoint is passed over with a warning, and replaced', async () => {
  const options = tinyRun(join(folder(), 'run'), { steps: 6, checkpointEvery: 3 })
  await runTo(undefined, options)
  const want = await results(options.out)
  const newest = join(options.out, 'checkpoints/step-6')
  await truncate(join(newest, 'optimizer.safetensors'), 100)
  const events = await runTo(undefined, options)
  expect(events[0]).toMatchObject({ type: 'start', startStep: 3 })
  expect(events.find((event) => event.type === 'warning' && event.code !== 'NOTE')).toMatchObject({
    code: 'ERR_CAE_CHECKPOINT',
    message: expect.stringMatching(/damaged[\s\S]*step-6\/optimizer\.safetensors[\s\S]*went on from .*step-3/),
  })
  await verifyCheckpoint(newest)
  expect(await results(options.out)).toEqual(want)
})

test('when no checkpoint is whole nothing is started anew, and nothing is touched', async () => {
  const options = tinyRun(join(folder(), 'run'), { steps: 2 })
  await runTo(undefined, options)
  await rm(join(options.out, 'checkpoints/step-2/manifest.json'))
  const before = await readdir(options.out, { recursive: true })
  await expect(runTo(undefined, options)).rejects.toMatchObject({
    code: 'ERR_CAE_CHECKPOINT',
    exitCode: 6,
    message: expect.stringMatching(/none of the 1 checkpoints[\s\S]*step-2/),
  })
  expect(await readdir(options.out, { recursive: true })).toEqual(before)
})

test('a run without a checkpoint yet starts anew', async () => {
  const options = tinyRun(join(folder(), 'run'), { steps: 2 })
  await runTo(undefined, options)
  const want = await results(options.out)
  await rm(join(options.out, 'checkpoints/step-2'), { recursive: true })
  await rm(join(options.out, 'checkpoints/latest'))
  const events = await runTo(undefined, options)
  expect(events[0]).toMatchObject({ type: 'start', startStep: 0 })
  expect(await results(options.out)).toEqual(want)
})

test('a finished run that is resumed gives its model at once', async () => {
  const options = tinyRun(join(folder(), 'run'), { steps: 3 })
  await runTo(undefined, options)
  const want = await results(options.out)
  const run = trainCAE({ ...options, resume: 'auto' })
  const { model, summary } = await run
  await model.dispose()
  expect(summary).toMatchObject({ steps: 3, checkpoint: join(options.out, 'checkpoints/step-3') })
  expect(await results(options.out)).toEqual(want)
})

test('a run that was moved goes on in its new place', async () => {
  const options = tinyRun(join(folder(), 'a'), { steps: 6 })
  await runTo(3, options)
  await cp(options.out, join(folder(), 'b'), { recursive: true, verbatimSymlinks: true })
  await runTo(undefined, { ...options, out: join(folder(), 'b') })
  await runTo(undefined, options)
  expect(await results(join(folder(), 'b'))).toEqual(await results(options.out))
})

describe('a change that would break exactness is refused by the names of its options', () => {
  const changes: [names: RegExp, change: Partial<TrainOptions>][] = [
    [/seed was 5, is 6;? ?/, { seed: 6 }],
    [/batchSize was 4, is 2; .*lr was 0\.01, is 0\.02/s, { lr: 0.02, batchSize: 2 }],
    [/steps was 6 steps, is 7 steps/, { steps: 7 }],
    [/epochs was 6 steps, is 10 steps/, { steps: undefined, epochs: 2 }],
    [/model\.depth was 2, is 3/, { model: { ...tinyModel, depth: 3 } }],
    [/precision was "fp32", is "bf16"/, { precision: 'bf16' }],
    [/data \(images\) was 22, is 23/, { data: drawnImages(23) }],
    [/data \(names\)/, { data: { ...drawnImages(22), name: (index) => `other-${index}` } }],
  ]
  test.each(changes)('%s', async (names, change) => {
    const options = tinyRun(join(folder(), 'run'), { steps: 6, lr: 0.01, warmupSteps: 0 })
    await runTo(2, options)
    const before = await readFile(join(options.out, 'config.json'), 'utf8')
    await expect(runTo(undefined, { ...options, ...change })).rejects.toMatchObject({
      code: 'ERR_CAE_OPTION',
      message: expect.stringMatching(names),
    })
    expect(await readFile(join(options.out, 'config.json'), 'utf8')).toBe(before)
  })

  test('what only says when to write, how much memory to use, or when to stop may change', async () => {
    const options = tinyRun(join(folder(), 'run'), { steps: 6 })
    await runTo(2, options)
    const change = { checkpointEvery: 2, keepLast: 5, figureEvery: 0, cache: 'off', maxSkippedSteps: 9, prefetchBytes: 1 } as const
    const events = await runTo(undefined, { ...options, ...change })
    expect(events.at(-1)?.type).toBe('end')
  })
})
