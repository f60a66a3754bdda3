import { bestRate, trainOnBank, tryRates } from '../../src/eval/cached-probe.js'
import type { FeatureBank } from '../../src/eval/feature-bank.js'
import type { ProbeMetrics } from '../../src/native/types.js'
import { RngStream } from '../../src/rng.js'

/** Points around one centre a class. */
function clusters(count: number, seed: number, spread: number): FeatureBank {
  const random = new RngStream({ seed, purpose: 'order', time: 0, index: 0 })
  const labels = Int32Array.from({ length: count }, (_, row) => row % 3)
  const data = Float32Array.from(
    { length: count * 6 },
    (_, at) => (at % 3 === (labels[Math.floor(at / 6)] ?? 0) ? 1 : 0) + spread * random.uniform(),
  )
  return { features: { data, shape: [count, 6] }, labels, badImages: [] }
}

const training = {
  shape: { featureDim: 6, classes: 3, seed: 4, device: 'cpu' },
  batchSize: 16,
  epochs: 12,
  warmupEpochs: 2,
  weightDecay: 0,
}

test('learns to tell clusters apart', async () => {
  const losses: number[] = []
  const onStep = ({ loss }: ProbeMetrics) => losses.push(loss)
  await using probe = await trainOnBank(clusters(96, 1, 0.5), 25.6, { ...training, onStep })
  expect(losses).toHaveLength(12 * 6)
  expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 2)
  expect(await probe.accuracy(clusters(90, 2, 0.5))).toEqual({ accuracy: 100, top5: 100 })
})

test('is a pure function of its seed', async () => {
  const losses = async (seed: number) => {
    const seen: number[] = []
    const shape = { ...training.shape, seed }
    await using _probe = await trainOnBank(clusters(40, 1, 3), 1, { ...training, shape, epochs: 3, onStep: ({ loss }) => seen.push(loss) })
    return seen
  }
  expect(await losses(1)).toEqual(await losses(1))
  expect(await losses(1)).not.toEqual(await losses(2))
})

test('tries every rate on rows kept out of its training, and takes the best, the lowest of equals', async () => {
  const tried = await tryRates(clusters(60, 1, 1), training)
  expect(tried.map(({ lr }) => lr)).toEqual([0.1, 0.4, 1.6, 6.4, 25.6, 51.2])
  for (const { accuracy } of tried) expect((accuracy * 6) / 100).toBeCloseTo(Math.round((accuracy * 6) / 100)) // 6 rows held out
  expect(
    bestRate([
      { lr: 1, accuracy: 50 },
      { lr: 2, accuracy: 60 },
      { lr: 3, accuracy: 60 },
    ]),
  ).toBe(2)
})

test('an abort ends it with the reason', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const onStep = () => controller.abort(reason)
  await expect(trainOnBank(clusters(60, 1, 1), 1, { ...training, signal: controller.signal, onStep })).rejects.toBe(reason)
})
