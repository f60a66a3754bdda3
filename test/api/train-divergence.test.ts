import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { trainCAE } from '../../src/api/train.js'
import { verifyCheckpoint } from '../../src/train/checkpoint.js'
import type { TrainEvent } from '../../src/train/events.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'
import { tinyRun } from '../support/tiny-run.js'

jest.setTimeout(30_000) // each takes well under a second on a quiet machine

const folder = temporaryFolder()
const out = () => join(folder(), 'run')

/** An alignment loss past the range of float32: loss and gradients are infinite from the first step. */
const infinite = { ...tinyModel, alignWeight: 1e300 } as const

test('steps that are not finite change nothing, and one too many ends the run with exit 5 and no checkpoint', async () => {
  const run = trainCAE(tinyRun(out(), { model: infinite, steps: 50, maxSkippedSteps: 2 }))
  const events: TrainEvent[] = []
  const failed = (async () => {
    for await (const event of run) events.push(event)
  })()
  await expect(failed).rejects.toMatchObject({
    code: 'ERR_CAE_DIVERGED',
    exitCode: 5,
    message: expect.stringMatching(/3 steps in a row[\s\S]*step 3; the last good checkpoint is none[\s\S]*`lr`/),
  })
  expect(events.filter((event) => event.type === 'warning' && event.code === 'ERR_CAE_DIVERGED')).toHaveLength(1)
  expect(await readdir(join(out(), 'checkpoints'))).toEqual([])
  const lines = (await readFile(join(out(), 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ step, skipped, loss }) => ({ step, skipped, loss }))).toEqual(
    [1, 2, 3].map((step) => ({ step, skipped: true, loss: null })),
  )
})

test('a run that goes bad after a checkpoint names it, and it is whole', async () => {
  // A learning rate that blows the weights up within a few steps.
  const run = trainCAE(
    tinyRun(out(), {
      steps: 200,
      lr: 1000,
      minLr: 1000,
      warmupSteps: 0,
      clipNorm: 0,
      weightDecay: 1e6,
      checkpointEvery: 1,
      maxSkippedSteps: 1,
    }),
  )
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ code: 'ERR_CAE_DIVERGED', message: expect.stringMatching(/last good checkpoint is .*step-\d+/) })
  await verifyCheckpoint(join(out(), 'checkpoints/latest'))
})
