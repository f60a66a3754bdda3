import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { choosePrecision } from '../../src/api/precision.js'
import { trainCAE } from '../../src/api/train.js'
import type { Addon } from '../../src/native/addon.js'
import type { BatchHandle, NativeConfig, NativeVersion } from '../../src/native/types.js'
import type { TrainEvent } from '../../src/train/events.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyRun } from '../support/tiny-run.js'

jest.setTimeout(30_000) // each takes well under a second on a quiet machine

const folder = temporaryFolder()

/** An addon whose steps take so long, on a CPU with or without bfloat16 products. */
function fakeAddon(stepMs: { fp32: number; bf16: number }, fastBf16: boolean) {
  const alive = new Set<unknown>()
  const make = <T>(value: T): T => {
    alive.add(value)
    return value
  }
  const addon = {
    version: () => ({ fastBf16 }) as NativeVersion,
    createModel: async () => make({}),
    createTrainer: async (_: unknown, { precision }: { precision: 'fp32' | 'bf16' }) => make({ precision }),
    step: ({ precision }: { precision: 'fp32' | 'bf16' }) => new Promise((resolve) => setTimeout(resolve, stepMs[precision])),
    dispose: async (handle: unknown) => alive.delete(handle),
  } as unknown as Addon
  return { addon, alive }
}

const trial = (addon: Addon, device = 'cpu') => ({
  addon,
  device,
  config: {} as NativeConfig,
  optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
  batch: {} as BatchHandle,
  schedule: {},
})

test.each([
  ['bf16 where its steps are shorter', { fp32: 20, bf16: 5 }, 'bf16'],
  ['fp32 where bf16 gains nothing', { fp32: 5, bf16: 20 }, 'fp32'],
] as const)('is %s, and says how long both take', async (_, times, precision) => {
  const { addon, alive } = fakeAddon(times, true)
  expect(await choosePrecision(trial(addon))).toEqual({
    precision,
    reason: expect.stringMatching(/[\d.]+ ms in fp32 and [\d.]+ ms in bf16/),
  })
  expect(alive.size).toBe(0)
})

test('is fp32 without a try on a CPU that would only emulate bfloat16, but not on a GPU', async () => {
  const { addon } = fakeAddon({ fp32: 20, bf16: 1 }, false)
  expect(await choosePrecision(trial(addon))).toEqual({ precision: 'fp32', reason: expect.stringMatching(/no bfloat16 products/) })
  expect((await choosePrecision(trial(addon, 'cuda:0'))).precision).toBe('bf16')
})

test('the answer of `auto` is told, recorded, and kept by a resume', async () => {
  const options = tinyRun(join(folder(), 'run'), { precision: 'auto', steps: 6, resume: 'auto' })
  const config = async () => JSON.parse(await readFile(join(folder(), 'run/config.json'), 'utf8'))
  const controller = new AbortController()
  const told: TrainEvent[] = []
  const first = trainCAE({ ...options, signal: controller.signal })
  const reading = (async () => {
    for await (const event of first) {
      if (event.type === 'warning' || event.type === 'start') told.push(event)
      if (event.type === 'step' && event.step >= 2) controller.abort('enough')
    }
  })()
  await expect(reading).rejects.toBe('enough')
  const { precision } = (await config()).train
  expect(['fp32', 'bf16']).toContain(precision)
  expect(told).toContainEqual(expect.objectContaining({ type: 'start', precision }))
  expect(told).toContainEqual(
    expect.objectContaining({ message: expect.stringMatching(new RegExp(`^precision 'auto' is ${precision}: `)) }),
  )

  const second = trainCAE(options)
  const warnings: string[] = []
  for await (const event of second) if (event.type === 'warning') warnings.push(event.message)
  await (await second).model.dispose()
  expect(warnings.filter((message) => message.startsWith('precision'))).toEqual([])
  expect((await config()).train.precision).toBe(precision)
})
