import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { StepEvent } from '../../src/train/events.js'
import { MetricsFile, timingKeys } from '../../src/train/metrics.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const path = () => join(folder(), 'metrics.jsonl')

const event = (step: number, metrics: Record<string, number> = { loss: 1 / step }): StepEvent => ({
  type: 'step',
  step,
  steps: 10,
  epoch: step / 10,
  metrics,
  lr: 1e-3,
  weightDecay: 0.05,
  skipped: false,
  imagesPerSecond: 123.45678,
  dataWaitShare: 0.25,
  etaSeconds: 3,
})

const steps = async () =>
  (await readFile(path(), 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).step)

test('a line holds the step, the losses, the settings of the step and how fast it went', async () => {
  await using file = await MetricsFile.open(path(), 0)
  await file.append(event(3, { loss: 0.5, loss_main: 0.3, grad_norm: 2 }), 1.23456)
  const line = JSON.parse(await readFile(path(), 'utf8'))
  expect(Object.keys(line)).toEqual(['step', 'epoch', 'loss', 'loss_main', 'grad_norm', 'lr', 'weight_decay', ...timingKeys])
  expect(line).toMatchObject({ step: 3, epoch: 0.3, loss: 0.5, lr: 1e-3, weight_decay: 0.05, seconds: 1.235, images_per_second: 123.457 })
})

test('what was measured after a step stands in its line', async () => {
  await using file = await MetricsFile.open(path(), 0)
  await file.append(event(3), 0, { feature_std: 0.5, effective_rank: 7 })
  expect(JSON.parse(await readFile(path(), 'utf8'))).toMatchObject({ step: 3, heldout_feature_std: 0.5, heldout_effective_rank: 7 })
})

test('a skipped step is marked, and what is not finite becomes null', async () => {
  await using file = await MetricsFile.open(path(), 0)
  await file.append({ ...event(1, { loss: Number.NaN, grad_norm: Number.POSITIVE_INFINITY }), skipped: true }, 0)
  expect(JSON.parse(await readFile(path(), 'utf8'))).toMatchObject({ loss: null, grad_norm: null, skipped: true })
})

test.each([0, 1, 7, 499, 500])('a resume at step %d keeps the lines up to it', async (step) => {
  {
    await using file = await MetricsFile.open(path(), 0)
    for (let at = 1; at <= 500; at++) await file.append(event(at), at)
  }
  const whole = await readFile(path(), 'utf8')
  expect(whole.length).toBeGreaterThan(80_000) // more than one block
  await using again = await MetricsFile.open(path(), step)
  const kept = await readFile(path(), 'utf8')
  expect(whole.startsWith(kept)).toBe(true)
  expect(await steps()).toEqual(Array.from({ length: step }, (_, at) => at + 1))
  await again.append(event(step + 1), 0)
  expect((await steps()).at(-1)).toBe(step + 1)
})

test('a torn last line is cut off', async () => {
  await writeFile(path(), '{"step":1}\n{"step":2}\n')
  await appendFile(path(), '{"step":3,"lo')
  await using _ = await MetricsFile.open(path(), 5)
  expect(await readFile(path(), 'utf8')).toBe('{"step":1}\n{"step":2}\n')
})

test('a new run begins with an empty file', async () => {
  await writeFile(path(), '{"step":1}\n')
  await using _ = await MetricsFile.open(path(), 0)
  expect(await readFile(path(), 'utf8')).toBe('')
})

test('a folder that is gone is a coded error naming the file', async () => {
  await expect(MetricsFile.open(join(folder(), 'gone', 'metrics.jsonl'), 0)).rejects.toMatchObject({
    code: 'ERR_CAE_OUTPUT',
    message: expect.stringContaining('gone/metrics.jsonl'),
  })
})
