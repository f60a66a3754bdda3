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
  /** What else changes from step to step: values at a 0-based step, by the names of the native method. */
  readonly schedules: Readonly<Record<string, (step: number) => number>>
}

/** What a method has to say about a run of `steps`. */
export interface MethodSchedules {
  lrSteps(steps: number): number
  schedules(steps: number): RunPlan['schedules']
}

const noSchedules: MethodSchedules = { lrSteps: (steps) => steps, schedules: () => ({}) }

/** The values of all of a plan's own schedules at a 0-based step. */
export function scheduleAt({ schedules }: Pick<RunPlan, 'schedules'>, step: number): Record<string, number> {
  return Object.fromEntries(Object.entries(schedules).map(([name, valueAt]) => [name, valueAt(step)]))
}

/**
 * Derives the plan of a run.
 * @param images those to train on
 * @throws {CaeError} ERR_CAE_OPTION when a batch is larger than the data, or the warm-up longer than the run
 */
export function planRun(config: TrainConfig, images: number, method: MethodSchedules = noSchedules): RunPlan {
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
    lr: {
      base: config.lr,
      final: config.minLr,
      warmupSteps: warmupLength(config, stepsPerEpoch, steps),
      totalSteps: method.lrSteps(steps),
    },
    weightDecay: {
      base: config.weightDecay,
      final: config.weightDecayEnd ?? config.weightDecay,
      warmupSteps: 0,
      totalSteps: steps,
    },
    schedules: method.schedules(steps),
  }
}
