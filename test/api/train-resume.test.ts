import { cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { Tokenizer } from '../../src/api/tokenizer.js'
import { trainCAE } from '../../src/api/train.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { loadAddon } from '../../src/native/load.js'
import { verifyCheckpoint } from '../../src/train/checkpoint.js'
import { compareStopped, resultsOf, runTo as runStoppedTo } from '../support/stopped-runs.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'
import { drawnImages, tinyRun } from '../support/tiny-run.js'
import { tinyTokenizer } from '../support/tiny-tokenizer.js'

jest.setTimeout(60_000) // some tests train four times; a machine may be busy with other things

const folder = temporaryFolder()
const runTo = (until: number | undefined, options: TrainOptions) => runStoppedTo(trainCAE, until, options)

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
  const [want, got] = [await resultsOf(unbroken.out), await resultsOf(broken.out)]
  expect(got.metrics).toEqual(want.metrics)
  expect(got.model === want.model).toBe(true)
  expect(got.optimizer === want.optimizer).toBe(true)
})

test.each<[name: string, change: object, later: Partial<TrainOptions>]>([
  ['with pixel targets, accumulation, and another loader in the later parts', { microBatchSize: 2 }, { prefetchBytes: 1 }],
  [
    'with token targets and a lagging target in bf16',
    { precision: 'bf16', model: { ...tinyModel, targetWeights: 'lagged' }, tokens: true },
    {},
  ],
])(
  "stopped at an epoch's end and in mid-epoch, it reads no image that it has done with: %s",
  async (_, { tokens, ...change }: { tokens?: true }, later) => {
    const target = tokens && { tokenizer: await savedTokenizer(join(folder(), 'tokenizer.safetensors')) }
    const options = { ...tinyRun(''), steps: 12, lr: 1e-2, figureEvery: 0, cache: 'off', ...change, ...(target && { target }) } as const
    const { starts, differences } = await compareStopped(trainCAE, folder(), options, later)
    expect(starts[0]).toBe(5) // the end of an epoch of 22 images
    expect((starts[1] ?? 0) % 5).toBeGreaterThan(0)
    expect(differences).toEqual([])
  },
)

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
  expect(await resultsOf(killed.out)).toEqual(await resultsOf(unbroken.out))
  expect((await readdir(checkpoints)).sort()).toEqual(['latest', 'step-10', 'step-12'])
})

test('a damaged newest checkpoint is passed over with a warning, and replaced', async () => {
  const options = tinyRun(join(folder(), 'run'), { steps: 6, checkpointEvery: 3 })
  await runTo(undefined, options)
  const want = await resultsOf(options.out)
  const newest = join(options.out, 'checkpoints/step-6')
  await truncate(join(newest, 'optimizer.safetensors'), 100)
  const events = await runTo(undefined, options)
  expect(events[0]).toMatchObject({ type: 'start', startStep: 3 })
  expect(events.find((event) => event.type === 'warning' && event.code !== 'NOTE')).toMatchObject({
    code: 'ERR_CAE_CHECKPOINT',
    message: expect.stringMatching(/damaged[\s\S]*step-6\/optimizer\.safetensors[\s\S]*went on from .*step-3/),
  })
  await verifyCheckpoint(newest)
  expect(await resultsOf(options.out)).toEqual(want)
})

test('latest does not stay on a checkpoint that turned out to be damaged', async () => {
  const options = tinyRun(join(folder(), 'run'), { steps: 6, checkpointEvery: 3 })
  await runTo(undefined, options)
  await truncate(join(options.out, 'checkpoints/step-6/model.safetensors'), 100)
  const run = trainCAE({ ...options, resume: 'auto' })
  for await (const { type } of run) if (type === 'start') break
  expect(await verifyCheckpoint(join(options.out, 'checkpoints/latest'))).toMatchObject({ step: 3 })
  await (await run).model.dispose()
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
  const want = await resultsOf(options.out)
  await rm(join(options.out, 'checkpoints/step-2'), { recursive: true })
  await rm(join(options.out, 'checkpoints/latest'))
  const events = await runTo(undefined, options)
  expect(events[0]).toMatchObject({ type: 'start', startStep: 0 })
  expect(await resultsOf(options.out)).toEqual(want)
})

test('a finished run that is resumed gives its model at once', async () => {
  const options = tinyRun(join(folder(), 'run'), { steps: 3 })
  await runTo(undefined, options)
  const want = await resultsOf(options.out)
  const run = trainCAE({ ...options, resume: 'auto' })
  const { model, summary } = await run
  await model.dispose()
  expect(summary).toMatchObject({ steps: 3, checkpoint: join(options.out, 'checkpoints/step-3') })
  expect(await resultsOf(options.out)).toEqual(want)
})

test('a run that was moved goes on in its new place', async () => {
  const options = tinyRun(join(folder(), 'a'), { steps: 6 })
  await runTo(3, options)
  await cp(options.out, join(folder(), 'b'), { recursive: true, verbatimSymlinks: true })
  await runTo(undefined, { ...options, out: join(folder(), 'b') })
  await runTo(undefined, options)
  expect(await resultsOf(join(folder(), 'b'))).toEqual(await resultsOf(options.out))
})

test("the library's own number of threads is noted, and kept by a resume where it would choose another", async () => {
  const options = tinyRun(join(folder(), 'run'), { steps: 6, threads: 0 })
  const threads = async () => JSON.parse(await readFile(join(options.out, 'config.json'), 'utf8')).train.threads
  const addon = await loadAddon()
  try {
    addon.configure({ threads: 2, deterministic: false }) // what the library goes on with until it is told another
    await runTo(2, options)
    expect(await threads()).toBe(2)
    addon.configure({ threads: 1, deterministic: false })
    await runTo(undefined, options)
    expect(await threads()).toBe(2)
    expect(addon.configure({ threads: 0, deterministic: false })).toBe(2)
    await expect(runTo(undefined, { ...options, threads: 3 })).rejects.toMatchObject({
      message: expect.stringMatching(/threads was 2, is 3/),
    })
  } finally {
    addon.configure({ threads: 1, deterministic: false })
  }
})

describe('a change that would break exactness is refused by the names of its options', () => {
  const changes: [names: RegExp, change: Partial<TrainOptions>][] = [
    [/seed was 5, is 6;? ?/, { seed: 6 }],
    [/batchSize was 4, is 2; .*lr was 0\.01, is 0\.02/s, { lr: 0.02, batchSize: 2 }],
    [/steps was 6 steps, is 7 steps/, { steps: 7 }],
    [/epochs was 6 steps, is 10 steps/, { steps: undefined, epochs: 2 }],
    [/model\.depth was 2, is 3/, { model: { ...tinyModel, depth: 3 } }],
    [/threads was 1, is 2/, { threads: 2 }],
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

  test('it may be allowed: then a warning says what changed, and the run goes on', async () => {
    const options = tinyRun(join(folder(), 'run'), { steps: 6, lr: 0.01, warmupSteps: 0 })
    await runTo(2, options)
    const events = await runTo(undefined, { ...options, lr: 0.02, batchSize: 2, steps: 7, allowConfigChange: true })
    const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
    expect(warnings).toContainEqual(expect.stringMatching(/goes on otherwise.*steps was 6.*batchSize was 4, is 2.*lr was 0\.01, is 0\.02/))
    expect(events.at(-1)).toMatchObject({ type: 'end', summary: { steps: 7 } })
    expect(JSON.parse(await readFile(join(options.out, 'config.json'), 'utf8')).train).toMatchObject({ lr: 0.02, steps: 7 })
  })

  test('what only says when to write, how much memory to use, or when to stop may change', async () => {
    const options = tinyRun(join(folder(), 'run'), { steps: 6 })
    await runTo(2, options)
    const change = { checkpointEvery: 2, keepLast: 5, figureEvery: 0, cache: 'off', maxSkippedSteps: 9, prefetchBytes: 1 } as const
    const events = await runTo(undefined, { ...options, ...change })
    expect(events.at(-1)?.type).toBe('end')
  })
})

describe('a new run from weights and going on with a run are two things', () => {
  const refused = async (options: TrainOptions, message: RegExp) => {
    await expect(trainCAE(options)).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      exitCode: 6,
      message: expect.stringMatching(message),
    })
  }

  test('resume refuses weights alone and names initFrom; initFrom takes them', async () => {
    await runTo(undefined, tinyRun(join(folder(), 'run'), { steps: 1 }))
    const weights = join(folder(), 'weights', 'model.safetensors')
    await cp(join(folder(), 'run/checkpoints/step-1/model.safetensors'), weights)
    for (const out of [join(folder(), 'weights'), weights]) {
      await refused(
        tinyRun(out, { resume: 'auto' }),
        /weights alone[\s\S]*weights\/model\.safetensors[\s\S]*`initFrom: '.*model\.safetensors'`/,
      )
    }
    expect(await readdir(join(folder(), 'weights'))).toEqual(['model.safetensors'])
    await (await trainCAE(tinyRun(join(folder(), 'new'), { initFrom: weights, steps: 1 }))).model.dispose()
  })

  test('resume refuses a path, and names what is meant', async () => {
    const resume = 'weights.safetensors' as 'auto'
    await expect(trainCAE(tinyRun(join(folder(), 'run'), { resume }))).rejects.toMatchObject({
      code: 'ERR_CAE_OPTION',
      message: expect.stringMatching(/resume is 'weights\.safetensors'.*`initFrom`/),
    })
  })

  test('resume refuses one checkpoint, and initFrom the state of a run', async () => {
    await runTo(undefined, tinyRun(join(folder(), 'run'), { steps: 1 }))
    const checkpoint = join(folder(), 'run/checkpoints/step-1')
    await refused(tinyRun(checkpoint, { resume: 'auto' }), /one checkpoint of a run[\s\S]*the run's folder[\s\S]*`initFrom/)
    for (const name of ['optimizer.safetensors', 'trainer.json', 'manifest.json']) {
      const initFrom = join(checkpoint, name)
      await refused(tinyRun(join(folder(), 'new'), { initFrom }), /has no weights[\s\S]*`resume: 'auto'`[\s\S]*`initFrom: '.*step-1'`/)
    }
    expect(await folder.list()).toEqual(['run'])
  })
})

async function savedTokenizer(path: string): Promise<string> {
  await using tokenizer = await Tokenizer.create(tinyTokenizer, { seed: 3, device: 'cpu' })
  await tokenizer.save(path)
  return path
}
