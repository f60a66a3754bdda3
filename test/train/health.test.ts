import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { RngStream } from '../../src/rng.js'
import type { StepEvent } from '../../src/train/events.js'
import { HealthWatch, SpikeDetector } from '../../src/train/health.js'

const fixture = join(__dirname, '../fixtures/losses.json')

/** A falling loss with noise of 5 %. */
function noisy(length: number, change: (step: number, loss: number) => number = (_, loss) => loss): number[] {
  const random = new RngStream({ seed: 4, purpose: 'order', time: 0, index: 0 })
  return Array.from({ length }, (_, step) => change(step, (0.3 + Math.exp(-step / 200)) * (1 + 0.05 * (random.integer(0, 200) / 100 - 1))))
}

function spikesIn(losses: readonly number[]): number[] {
  const detector = new SpikeDetector()
  return losses.flatMap((loss, step) => (detector.add(loss) ? [step] : []))
}

describe('a loss spike', () => {
  test('is found at its fifth step, once', () => {
    const losses = noisy(600, (step, loss) => (step >= 400 && step < 430 ? 2 * loss : loss))
    expect(spikesIn(losses)).toEqual([404])
    const detector = new SpikeDetector()
    const spike = losses.map((loss) => detector.add(loss)).find((found) => found !== undefined)
    expect(spike?.steps).toBe(5)
    expect((spike?.high ?? 0) / (spike?.usual ?? 1)).toBeCloseTo(2, 0)
  })

  test.each([
    ['an ordinary run', noisy(1000)],
    ['single odd batches', noisy(1000, (step, loss) => (step % 50 === 0 ? 10 * loss : loss))],
    ['a rise by a tenth', noisy(1000, (step, loss) => (step > 500 ? 1.1 * loss : loss))],
    ['the first steps, whatever they do', noisy(50, (step, loss) => (step > 30 ? 10 * loss : loss))],
  ])('is not seen in %s', (_, losses) => {
    expect(spikesIn(losses)).toEqual([])
  })

  test('is not seen in recorded runs: emoji, CIFAR-10, tokens, a tokenizer', () => {
    const runs: Record<string, number[]> = JSON.parse(readFileSync(fixture, 'utf8'))
    expect(Object.keys(runs)).toHaveLength(4)
    for (const losses of Object.values(runs)) expect(spikesIn(losses)).toEqual([])
  })
})

const step = (at: number, loss: number, skipped = false): StepEvent => ({
  type: 'step',
  step: at,
  steps: 1000,
  epoch: 0,
  metrics: { loss },
  lr: 1e-3,
  weightDecay: 0.05,
  skipped,
  imagesPerSecond: 1,
  dataWaitShare: 0,
  etaSeconds: 0,
})

test('a spike is told once in a run, with the newest checkpoint and advice; skipped steps are none', () => {
  const watch = new HealthWatch({ usual: noisy(100), high: [], told: [] })
  const told = Array.from({ length: 40 }, (_, at) => watch.step(step(at + 1, at % 20 < 10 ? 9 : 1), 'runs/a/checkpoints/step-0')).flat()
  expect(told).toHaveLength(1)
  expect(told[0]).toMatchObject({ code: 'ERR_CAE_SPIKE', message: expect.stringMatching(/to 9 for 5 steps[\s\S]*step-0[\s\S]*`lr`/) })
  const skipping = new HealthWatch({ usual: noisy(100), high: [], told: [] })
  expect(Array.from({ length: 10 }, (_, at) => skipping.step(step(at, Number.NaN, true), undefined)).flat()).toEqual([])
})

test('a watch that goes on from a state tells what the unbroken one does, and nothing twice', () => {
  const losses = noisy(600, (at, loss) => (at >= 400 && at % 100 < 30 ? 2 * loss : loss)) // twice: the second one is not told
  const tell = (watch: HealthWatch, from: number, to: number) =>
    losses.slice(from, to).flatMap((loss, at) => watch.step(step(from + at + 1, loss), undefined))
  const whole = tell(new HealthWatch(), 0, losses.length)
  expect(whole).toHaveLength(1)
  for (const stop of [320, 402, 410, 450, 502]) {
    const before = new HealthWatch()
    const first = tell(before, 0, stop)
    const after = new HealthWatch(JSON.parse(JSON.stringify(before.state)))
    expect([...first, ...tell(after, stop, losses.length)]).toEqual(whole)
  }
})

describe('what is measured', () => {
  const at = (metrics: Record<string, number>, recent: Record<string, number> = {}, step = 1000) => ({ step, steps: 2000, metrics, recent })

  test('tells of collapsed features once, and only when both say so', () => {
    const watch = new HealthWatch()
    expect(watch.measure(at({ feature_std: 0.2, effective_rank: 5 }))).toEqual([])
    expect(watch.measure(at({ feature_std: 0.01, effective_rank: 5 }))).toEqual([])
    expect(watch.measure(at({ psnr: 20 }))).toEqual([])
    const collapsed = at({ feature_std: 0.01, effective_rank: 1.1 })
    expect(watch.measure(collapsed)).toMatchObject([
      { code: 'ERR_CAE_COLLAPSED', message: expect.stringMatching(/feature_std 0\.01[\s\S]*step 1000[\s\S]*`alignWeight`/) },
    ])
    expect(watch.measure(collapsed)).toEqual([])
  })

  test('tells of predictions that are no better than a constant, not early on', () => {
    const watch = new HealthWatch()
    const recent = { relative_loss: 0.995 }
    expect(watch.measure(at({}, recent, 500))).toEqual([])
    expect(watch.measure(at({}, { relative_loss: 0.6 }))).toEqual([])
    expect(watch.measure(at({}, recent))).toMatchObject([
      { code: 'ERR_CAE_COLLAPSED', message: expect.stringMatching(/no better than a constant/) },
    ])
    expect(watch.measure(at({}, recent))).toEqual([])
  })
})
