import { CaeError } from '../errors.js'

/** Learning rate of a linear probe over its epochs. */
export interface ProbeSchedule {
  readonly lr: number
  readonly warmupEpochs: number
  readonly epochs: number
}

/**
 * Learning rate at a fractional epoch: rises from 0 to `lr`, then falls to 0 along half a cosine (spec/downstream.md 3.4).
 * @param epoch whole epochs done plus the share of the present one
 */
export function probeRate({ lr, warmupEpochs, epochs }: ProbeSchedule, epoch: number): number {
  if (epoch < warmupEpochs) return (lr * epoch) / warmupEpochs
  return lr * 0.5 * (1 + Math.cos((Math.PI * (epoch - warmupEpochs)) / (epochs - warmupEpochs)))
}

/** @throws {CaeError} ERR_CAE_OPTION when the warm-up leaves no epoch after it */
export function checkWarmup({ warmupEpochs, epochs }: Omit<ProbeSchedule, 'lr'>): void {
  if (warmupEpochs < epochs) return
  throw new CaeError('ERR_CAE_OPTION', {
    what: `warmupEpochs is ${warmupEpochs}, the probe trains for ${epochs} epochs`,
    todo: `a warmupEpochs of at most ${epochs - 1}, or more epochs`,
  })
}
