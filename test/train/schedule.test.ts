import { readFileSync } from 'node:fs'

import { valueAtStep, warmupLength } from '../../src/train/schedule.js'
import { sharedFile } from '../support/shared-data.js'

interface Golden {
  readonly args: {
    base_value: number
    final_value: number
    epochs: number
    niter_per_ep: number
    warmup_epochs?: number
    warmup_steps?: number
  }
}

const path = sharedFile('golden/cae_schedules.json')
const golden = path === undefined ? undefined : JSON.parse(readFileSync(path, 'utf8'))

function scheduleOf({ args }: Golden) {
  const totalSteps = args.epochs * args.niter_per_ep
  const warmupSteps = args.warmup_steps && args.warmup_steps > 0 ? args.warmup_steps : (args.warmup_epochs ?? 0) * args.niter_per_ep
  return { base: args.base_value, final: args.final_value, warmupSteps, totalSteps }
}

/** Relative difference, with an absolute floor where the value is 0. */
const error = (got: number, want: number) => Math.abs(got - want) / Math.max(Math.abs(want), 1e-300)

const withGolden = golden ? describe : describe.skip
withGolden('schedules of the reference', () => {
  test('every listed schedule agrees at every step to 1e-12', () => {
    for (const entry of golden.cosine) {
      const schedule = scheduleOf(entry)
      entry.values.forEach((want: number, step: number) => {
        const got = valueAtStep(step, schedule)
        expect(want === 0 ? got : error(got, want)).toBeLessThan(1e-12)
      })
      expect(entry.values).toHaveLength(schedule.totalSteps)
    }
  })

  test('the 800-epoch schedule agrees at its listed steps and in its sum', () => {
    const schedule = scheduleOf(golden.cosine_800_epochs)
    for (const [step, want] of Object.entries<number>(golden.cosine_800_epochs.at)) {
      const got = valueAtStep(Number(step), schedule)
      expect(want === 0 ? got : error(got, want)).toBeLessThan(1e-12)
    }
    let sum = 0
    for (let step = 0; step < schedule.totalSteps; step++) sum += valueAtStep(step, schedule)
    expect(sum).toBeCloseTo(golden.cosine_800_epochs.sum, 5)
  })
})

describe('valueAtStep', () => {
  const schedule = { base: 2, final: 0.5, warmupSteps: 4, totalSteps: 20 }

  test('starts at 0, has the base at both sides of the joint, never leaves the range, ends at final', () => {
    const values = Array.from({ length: 25 }, (_, step) => valueAtStep(step, schedule))
    expect(values[0]).toBe(0)
    expect(values.slice(3, 5)).toEqual([2, 2])
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...values)).toBe(2)
    expect(values.slice(20)).toEqual([0.5, 0.5, 0.5, 0.5, 0.5])
  })

  test('has no warm part without warm-up, and one step of 0 with a warm-up of one', () => {
    expect(valueAtStep(0, { ...schedule, warmupSteps: 0 })).toBe(2)
    expect([0, 1].map((step) => valueAtStep(step, { ...schedule, warmupSteps: 1 }))).toEqual([0, 2])
  })

  test('is constant when both ends are equal', () => {
    const flat = { base: 0.05, final: 0.05, warmupSteps: 0, totalSteps: 7 }
    expect(new Set(Array.from({ length: 7 }, (_, step) => valueAtStep(step, flat)))).toEqual(new Set([0.05]))
  })
})

describe('warmupLength', () => {
  test('counts epochs, unless steps are given', () => {
    expect(warmupLength({ warmupEpochs: 2, warmupSteps: 0 }, 10, 100)).toBe(20)
    expect(warmupLength({ warmupEpochs: 2, warmupSteps: 7 }, 10, 100)).toBe(7)
    expect(warmupLength({ warmupEpochs: 0.5, warmupSteps: 0 }, 5, 100)).toBe(3)
  })

  test.each([
    [{ warmupEpochs: 20, warmupSteps: 0 }, /warmupEpochs: .*200 steps.*100[\s\S]*at most 10/],
    [{ warmupEpochs: 0, warmupSteps: 101 }, /warmupSteps: .*101 steps.*100[\s\S]*at most 100/],
  ])('refuses %j in a run of 100 steps', (options, message) => {
    expect(() => warmupLength(options, 10, 100)).toThrow(message)
  })
})
