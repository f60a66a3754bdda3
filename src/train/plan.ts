import type { TrainConfig } from '../config/train.js'
import { CaeError } from '../errors.js'
import { type Schedule, warmupLength } from './schedule.js'

/** How long a run is and what each of its steps uses, derived once from options and data. */
export interface RunPlan {
  readonly steps: number
  /** An incomplete last batch is dropped (spec/cae.md 5.8). */
  readonly stepsPerEpoch: number
  readonly batchSize: number
  /** Forward and backward passes of a step, each over `batchSize / parts` images. */
  readonly parts: number
  /** Images trained on; those held out are not counted. */
  readonly images: number
  readonly lr: Schedule
  readonly weightDecay: Schedule
}

/**
 * Derives the plan of a run.
 * @param images those to train on
 * @throws {CaeError} ERR_CAE_OPTION when a batch is larger than the data, or the warm-up longer than the run
 */
export function planRun(config: TrainConfig, images: number): RunPlan {
  const { batchSize } = config
  if (batchSize > images) {
    throw new CaeError('ERR_CAE_OPTION', {
      what: `batchSize ${batchSize} is more than the ${images} images to train on`,
      todo: `set batchSize to at most ${images}, or add images`,
    })
  }
  const stepsPerEpoch = Math.floor(images / batchSize)
  const steps = config.steps ?? Math.max(1, Math.round((config.epochs ?? 1) * stepsPerEpoch))
  return {
    steps,
    stepsPerEpoch,
    batchSize,
    parts: batchSize / (config.microBatchSize ?? batchSize),
    images,
    lr: { base: config.lr, final: config.minLr, warmupSteps: warmupLength(config, stepsPerEpoch, steps), totalSteps: steps },
    weightDecay: {
      base: config.weightDecay,
      final: config.weightDecayEnd ?? config.weightDecay,
      warmupSteps: 0,
      totalSteps: steps,
    },
  }
}
