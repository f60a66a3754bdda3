import { setImmediate as turn } from 'node:timers/promises'

import type { BatchHandle, Hyper, StepMetrics } from '../../src/native/types.js'
import type { SkippedStep } from '../../src/train/capture.js'
import type { TrainEvent } from '../../src/train/events.js'
import { type LoopParts, type LoopSettings, trainLoop } from '../../src/train/loop.js'
import type { RunPlan } from '../../src/train/plan.js'
import { atStart, Progress } from '../../src/train/progress.js'
import type { StepPart } from '../../src/train/step-batches.js'

const plan: RunPlan = {
  steps: 10,
  stepsPerEpoch: 4,
  batchSize: 8,
  parts: 2,
  images: 35,
  lr: { base: 1, final: 0.1, warmupSteps: 2, totalSteps: 10 },
  weightDecay: { base: 0.05, final: 0.05, warmupSteps: 0, totalSteps: 10 },
  schedules: { tau: (step) => 1 / (step + 1) },
}
const settings: LoopSettings = { seed: 3, clipNorm: 3, checkpointEvery: 4, figureEvery: 3, maxSkippedSteps: 2 }
const good: StepMetrics = { values: { loss: 0.5, grad_norm: 1 }, skipped: false, computeNs: 1 }
const bad: StepMetrics = { values: { loss: Number.NaN, grad_norm: 1 }, skipped: true, computeNs: 1 }

/** A loop whose step is a function, and a record of what it did. */
function world(given: {
  result?: (step: number) => StepMetrics
  batch?: (step: number) => Promise<void>
  change?: Partial<LoopSettings>
  from?: number
}) {
  const log: string[] = []
  const hypers: Hyper[] = []
  const alive = new Set<StepPart>()
  const captured: SkippedStep[] = []
  const from = given.from ?? 0
  const progress = new Progress(plan, { ...atStart, step: from })
  let newest = from > 0 ? `step-${from}` : undefined
  async function* batches() {
    for (let step = from; ; step++) {
      await given.batch?.(step)
      const pair = [0, 1].map((place): StepPart => ({ handle: {} as BatchHandle, indices: [2 * step + place], epoch: 0 }))
      for (const part of pair) alive.add(part)
      log.push(`data ${step}`)
      yield pair
    }
  }
  const parts: LoopParts = {
    plan,
    settings: { ...settings, ...given.change },
    progress,
    batches: batches(),
    async step(pair, hyper) {
      expect(pair.every((part) => alive.has(part))).toBe(true)
      hypers.push(hyper)
      log.push(`begin ${hyper.step}`)
      await turn()
      log.push(`end ${hyper.step}`)
      return given.result?.(hyper.step) ?? good
    },
    async dispose(part) {
      alive.delete(part)
    },
    async capture(step) {
      captured.push(step)
      return 'captured somewhere'
    },
    async emit(event) {
      log.push(label(event))
    },
    async save() {
      newest = `step-${progress.step}`
      log.push(`save ${progress.step}`)
    },
    saved: async () => newest ?? '',
    async draw(when) {
      log.push(`draw ${when}`)
    },
    newestCheckpoint: async () => newest,
  }
  const events = () => log.filter((entry) => !/^(data|begin|end) /.test(entry))
  return { parts, log, events, hypers, alive, progress, captured }
}

function label(event: TrainEvent): string {
  if (event.type === 'step') return `step ${event.step}`
  return event.type === 'epoch' ? `epoch ${event.epoch}` : event.type === 'warning' ? `warning ${event.code}` : event.type
}

test('steps, epochs, checkpoints and figures come in order, and the last of each at the end', async () => {
  const { parts, events, alive } = world({})
  expect(await trainLoop(parts)).toBe('step-10')
  expect(events()).toEqual([
    ...['step 1', 'step 2', 'step 3', 'draw interval', 'step 4', 'epoch 1', 'save 4', 'step 5', 'step 6', 'draw interval'],
    ...['step 7', 'step 8', 'epoch 2', 'save 8', 'step 9', 'draw interval', 'step 10', 'save 10', 'draw end'],
  ])
  expect(alive.size).toBe(0)
})

test('asks for the next batch while a step runs, and never for one too many', async () => {
  const { parts, log } = world({})
  await trainLoop(parts)
  for (let step = 0; step < 9; step++) expect(log.indexOf(`data ${step + 1}`)).toBeLessThan(log.indexOf(`end ${step}`))
  expect(log.filter((entry) => entry.startsWith('data'))).toHaveLength(10)
})

test('every step has its own schedule values, and its number as the key of its draws', async () => {
  const { parts, hypers } = world({})
  await trainLoop(parts)
  expect(hypers.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(hypers.slice(0, 3).map(({ lr }) => lr)).toEqual([0, 1, 1])
  expect(hypers[4]).toMatchObject({ weightDecay: 0.05, clipNorm: 3, seed: 3, firstPosition: 0, schedule: { tau: 1 / 5 } })
})

test('goes on from where its progress stands', async () => {
  const { parts, hypers, events } = world({ from: 7 })
  await trainLoop(parts)
  expect(hypers.map(({ step }) => step)).toEqual([7, 8, 9])
  expect(events()).toEqual(['step 8', 'epoch 2', 'save 8', 'step 9', 'draw interval', 'step 10', 'save 10', 'draw end'])
})

test('a figure that was due at the checkpoint it goes on from is drawn again: the part before may have ended in between', async () => {
  const { parts, events } = world({ from: 6 })
  await trainLoop(parts)
  expect(events().slice(0, 2)).toEqual(['draw interval', 'step 7'])
})

test('whoever asks for a checkpoint gets one after the step, and the run goes on', async () => {
  const { parts, events } = world({ change: { figureEvery: 0 } })
  let looks = 0
  await trainLoop({ ...parts, checkpointWanted: () => ++looks === 2 })
  expect(events().filter((entry) => entry.startsWith('save'))).toEqual(['save 2', 'save 4', 'save 8', 'save 10'])
})

test('a run that is already at its end only draws', async () => {
  const { parts, log } = world({ from: 10 })
  expect(await trainLoop(parts)).toBe('step-10')
  expect(log).toEqual(['draw end'])
})

describe('an abort', () => {
  const reason = { my: 'reason' }

  test('lets the step in flight finish, writes a checkpoint, and rejects with the reason itself', async () => {
    const controller = new AbortController()
    const { parts, log, alive } = world({
      result(step) {
        if (step === 5) controller.abort(reason)
        return good
      },
    })
    await expect(trainLoop(parts, controller.signal)).rejects.toBe(reason)
    expect(log.slice(-3)).toEqual(['end 5', 'step 6', 'save 6'])
    expect(alive.size).toBe(0)
  })

  test('before the first step leaves nothing', async () => {
    const { parts, events, alive } = world({})
    await expect(trainLoop(parts, AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(events()).toEqual([])
    expect(alive.size).toBe(0)
  })

  test('right after a checkpoint does not write it again', async () => {
    const controller = new AbortController()
    const { parts, events } = world({
      result(step) {
        if (step === 3) controller.abort(reason)
        return good
      },
    })
    await expect(trainLoop(parts, controller.signal)).rejects.toBe(reason)
    expect(events().slice(-3)).toEqual(['step 4', 'epoch 1', 'save 4'])
  })

  test('while waiting for data is what ends the run, not what the data says about it', async () => {
    const controller = new AbortController()
    const { parts, events } = world({
      async batch(step) {
        if (step < 2) return
        controller.abort(reason)
        throw new Error('reading was cancelled')
      },
    })
    await expect(trainLoop(parts, controller.signal)).rejects.toBe(reason)
    expect(events()).toEqual(['step 1', 'step 2', 'save 2'])
  })
})

describe('steps that are not finite', () => {
  test('are counted, warned about once, and forgiven when a good one follows', async () => {
    const { parts, events, progress } = world({ result: (step) => ([2, 3, 6, 7].includes(step) ? bad : good), change: { figureEvery: 0 } })
    await trainLoop(parts)
    expect(progress.skippedSteps).toBe(4)
    expect(events().filter((entry) => entry.startsWith('warning'))).toEqual(['warning ERR_CAE_DIVERGED'])
    expect(progress.summary({ badImages: 0, checkpoint: '' }).metrics).toEqual({ loss: 0.5, grad_norm: 1 })
  })

  test('are captured, the first of each row of them, with what made them', async () => {
    const { parts, captured, hypers } = world({ result: (step) => ([2, 3, 6, 7].includes(step) ? bad : good) })
    await trainLoop(parts)
    expect(captured.map(({ hyper }) => hyper)).toEqual([hypers[2], hypers[6]])
    expect(captured.map(({ batches }) => batches.flatMap(({ indices }) => indices))).toEqual([
      [4, 5],
      [12, 13],
    ])
    expect(captured[0]?.result).toBe(bad)
  })

  test('end the run when there is one more in a row than allowed, naming step, loss, rate and the last good checkpoint', async () => {
    const { parts, events, alive } = world({ result: (step) => (step >= 5 ? bad : good) })
    await expect(trainLoop(parts)).rejects.toMatchObject({
      code: 'ERR_CAE_DIVERGED',
      exitCode: 5,
      message: expect.stringMatching(/3 steps in a row[\s\S]*loss NaN[\s\S]*learning rate [\d.]+[\s\S]*step 8; [\s\S]*step-4[\s\S]*`lr`/),
    })
    expect(events().at(-1)).toBe('epoch 2') // step 8 ends one; nothing is saved after it
    expect(alive.size).toBe(0)
  })

  test('with none allowed, the first one ends the run', async () => {
    const { parts } = world({ result: () => bad, change: { maxSkippedSteps: 0 } })
    await expect(trainLoop(parts)).rejects.toMatchObject({
      code: 'ERR_CAE_DIVERGED',
      message: expect.stringMatching(/none was written yet/),
    })
  })
})

test('data that fails in mid-run ends it after a checkpoint of what was learned', async () => {
  const gone = new Error('disk gone')
  const { parts, events } = world({ batch: (step) => (step < 6 ? Promise.resolve() : Promise.reject(gone)) })
  await expect(trainLoop(parts)).rejects.toBe(gone)
  expect(events().slice(-2)).toEqual(['draw interval', 'save 6'])
})

test('a step that fails ends the run at once, without a checkpoint of an unknown state', async () => {
  const { parts, events, alive } = world({
    result(step) {
      if (step === 5) throw new Error('out of memory')
      return good
    },
  })
  await expect(trainLoop(parts)).rejects.toThrow('out of memory')
  expect(events().at(-1)).toBe('step 5')
  expect(alive.size).toBe(0)
})

test('a run that its method judges to have failed ends there, and frees what was asked for', async () => {
  const { parts, events, alive } = world({})
  const judge: LoopParts['judge'] = ({ step, steps, recent }) =>
    step === 6 ? { what: `failed at ${step} of ${steps}, loss ${recent.loss}`, todo: 'something else' } : undefined
  await expect(trainLoop({ ...parts, judge })).rejects.toMatchObject({
    code: 'ERR_CAE_DIVERGED',
    parts: { what: 'failed at 6 of 10, loss 0.5', where: 'step 6; the last checkpoint is step-4', todo: 'something else' },
  })
  expect(events()).toContain('save 4')
  expect(events()).not.toContain('save 6')
  expect(alive.size).toBe(0)
})
