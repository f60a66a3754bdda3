import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { BatchHandle, Hyper } from '../../src/native/types.js'
import { type CaptureContext, Captures, readCapture, type SkippedStep, valuesOf } from '../../src/train/capture.js'
import type { RunConfig } from '../../src/train/run-config.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const debug = () => join(folder(), 'debug')

const config = { format: 1, model: {}, train: {}, data: {} } as RunConfig
const weights = { name: 'w', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } as const
const context: CaptureContext = {
  config,
  view: null,
  name: (index) => `image-${index}`,
  tensors: () => ({ model: [weights], optimizer: [weights] }),
}

const skipped = (step: number): SkippedStep => ({
  hyper: { step: step - 1, lr: 0.1 } as Hyper,
  batches: [{ handle: {} as BatchHandle, indices: [7, 3], epoch: 2 }],
  result: { values: { loss: Number.NaN, grad_norm: Number.NEGATIVE_INFINITY, loss_main: 0.1 + 0.2 }, skipped: true, computeNs: 1 },
})

test('a capture holds the step, its samples by name, and numbers that JSON does not have', async () => {
  expect(await new Captures(debug(), context).write(skipped(12), 10)).toContain(`cae-torch replay ${join(debug(), 'step-12')}`)
  const capture = await readCapture(join(debug(), 'step-12'))
  expect(capture).toMatchObject({ step: 12, updates: 10, hyper: { step: 11, lr: 0.1 }, view: null, config })
  expect(capture.parts).toEqual([
    {
      epoch: 2,
      samples: [
        { index: 7, name: 'image-7' },
        { index: 3, name: 'image-3' },
      ],
    },
  ])
  expect(valuesOf(capture)).toEqual({ loss: Number.NaN, grad_norm: Number.NEGATIVE_INFINITY, loss_main: 0.1 + 0.2 })
})

test('a run keeps three at most, and writes the same step anew', async () => {
  const captures = new Captures(debug(), context)
  for (const step of [1, 2, 3]) await captures.write(skipped(step), 0)
  expect(await captures.write(skipped(4), 0)).toMatch(/not captured: .*holds 3 steps already/)
  expect(await captures.write(skipped(2), 1)).toContain('step-2')
  expect((await readdir(debug())).sort()).toEqual(['step-1', 'step-2', 'step-3'])
  expect((await readCapture(join(debug(), 'step-2'))).updates).toBe(1)
})

test('a capture that cannot be written is told, leaves nothing half made, and throws nothing', async () => {
  const broken = { ...weights, data: () => Promise.reject(new Error('no memory')) }
  const captures = new Captures(debug(), { ...context, tensors: () => ({ model: [weights], optimizer: [broken] }) })
  expect(await captures.write(skipped(1), 0)).toMatch(/could not be captured in .*step-1: no memory/)
  expect(await readdir(debug())).toEqual([])
  await writeFile(join(folder(), 'file'), '')
  expect(await new Captures(join(folder(), 'file'), context).write(skipped(1), 0)).toMatch(/could not be captured/)
})

test('what is no capture is refused by its path', async () => {
  await mkdir(debug())
  await expect(readCapture(debug())).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringContaining('step.json') })
  await writeFile(join(debug(), 'step.json'), JSON.stringify({ format: 2 }))
  await expect(readCapture(debug())).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(/this version/) })
  expect(await readFile(join(debug(), 'step.json'), 'utf8')).toContain('format')
})
