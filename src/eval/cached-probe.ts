import { epochOrder, holdOut, identity } from '../data/order.js'
import type { ProbeMetrics } from '../native/types.js'
import type { FeatureBank } from './feature-bank.js'
import { createProbe, type Probe, type ProbeShape } from './probe.js'
import { type ProbeSchedule, probeRate } from './probe-schedule.js'

/**
 * Learning rates tried. LARS moves a weight by a share of its own length whatever the gradient is, so which rate is right depends on the
 * number of steps and on the features, not on the batch: on 8,000 images of CIFAR-10 (batch 256, 90 epochs) raw pixels are best at 0.1, an
 * encoder's 192 numbers at 51.2, and at 409.6 nothing is learned. The authors' 6.4 is for 7,000 steps on a million images.
 */
export const triedRates = [0.1, 0.4, 1.6, 6.4, 25.6, 51.2]

/** One rate and how well it did, in percent, on images that its probe had not seen. */
export interface TriedRate {
  readonly lr: number
  readonly accuracy: number
}

export interface CachedTraining extends Omit<ProbeSchedule, 'lr'> {
  readonly shape: ProbeShape
  readonly batchSize: number
  readonly weightDecay: number
  readonly signal?: AbortSignal | undefined
  /** Hears of every step. */
  readonly onStep?: ((metrics: ProbeMetrics) => void) | undefined
}

/** Steps of training on so many rows. */
export function stepsOn(rows: number, { batchSize, epochs }: Pick<CachedTraining, 'batchSize' | 'epochs'>): number {
  return epochs * Math.floor(rows / Math.min(batchSize, rows))
}

/** Rows that `tryRates` keeps out of its training: a tenth. */
export function heldOutRows(rows: number): number {
  return Math.ceil(rows / 10)
}

/**
 * Trains a fresh probe on rows of a bank, shuffled anew in every epoch; rows that fill no batch are left out of it (spec/downstream.md 3.4).
 * @param rows which rows; default all
 */
export async function trainOnBank(bank: FeatureBank, lr: number, o: CachedTraining, rows = identity(bank.labels.length)): Promise<Probe> {
  const probe = await createProbe(o.shape)
  try {
    const batchSize = Math.min(o.batchSize, rows.length)
    const steps = stepsOn(rows.length, { batchSize, epochs: 1 })
    for (let epoch = 0; epoch < o.epochs; epoch++) {
      const order = await epochOrder(rows.length, o.shape.seed, epoch, o.signal)
      for (let step = 0; step < steps; step++) {
        o.signal?.throwIfAborted()
        const places = order.subarray(step * batchSize, (step + 1) * batchSize)
        const rate = probeRate({ ...o, lr }, epoch + step / steps)
        const batch = { rows: Int32Array.from(places, (place) => rows[place] ?? 0), lr: rate, weightDecay: o.weightDecay }
        o.onStep?.(await probe.step(bank.features, bank.labels, batch))
      }
    }
    return probe
  } catch (error) {
    await probe[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * Tries learning rates on nine tenths of the bank and measures each on the rest. The test set has no part in it.
 * @returns all of them, in rising order of the rate
 */
export async function tryRates(bank: FeatureBank, o: CachedTraining): Promise<readonly TriedRate[]> {
  const { training, heldOut } = await holdOut(bank.labels.length, heldOutRows(bank.labels.length), o.shape.seed)
  const rest = pick(bank, heldOut)
  const tried: TriedRate[] = []
  for (const lr of triedRates) {
    await using probe = await trainOnBank(bank, lr, o, training)
    tried.push({ lr, accuracy: (await probe.accuracy(rest, o.signal)).accuracy })
  }
  return tried
}

/** The rate that did best; of equally good ones the lowest. */
export function bestRate(tried: readonly TriedRate[]): number {
  return tried.reduce((best, rate) => (rate.accuracy > best.accuracy ? rate : best)).lr
}

function pick({ features, labels, badImages }: FeatureBank, rows: Uint32Array): FeatureBank {
  const [, width = 0] = features.shape
  const data = new Float32Array(rows.length * width)
  rows.forEach((row, place) => {
    data.set(features.data.subarray(row * width, (row + 1) * width), place * width)
  })
  return { features: { data, shape: [rows.length, width] }, labels: Int32Array.from(rows, (row) => labels[row] ?? 0), badImages }
}
