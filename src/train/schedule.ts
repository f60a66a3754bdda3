import { CaeError } from '../errors.js'

/** A value that warms up linearly and then falls along half a cosine (spec/cae.md 6.3). */
export interface Schedule {
  /** Value at the top: from the last warm-up step on. */
  readonly base: number
  /** What the cosine falls towards; it never quite reaches it. */
  readonly final: number
  /** Steps of the warm-up, both ends included: the first has the value 0, the last is already `base`. */
  readonly warmupSteps: number
  /** Steps of the whole run, warm-up included. */
  readonly totalSteps: number
}

/**
 * Value of a schedule at an optimizer step.
 * @param step 0-based; a value past `totalSteps` stays at `final`
 */
export function valueAtStep(step: number, { base, final, warmupSteps, totalSteps }: Schedule): number {
  if (step < warmupSteps) return warmupSteps === 1 ? 0 : (base * step) / (warmupSteps - 1)
  if (step >= totalSteps) return final
  const done = (step - warmupSteps) / (totalSteps - warmupSteps)
  return final + 0.5 * (base - final) * (1 + Math.cos(Math.PI * done))
}

/** What decides the length of a warm-up. */
export interface WarmupOptions {
  readonly warmupEpochs: number
  /** Wins over `warmupEpochs` when above 0. */
  readonly warmupSteps: number
}

/**
 * Length of the warm-up in steps.
 * @throws {CaeError} ERR_CAE_OPTION when it does not fit into the run
 */
export function warmupLength(options: WarmupOptions, stepsPerEpoch: number, totalSteps: number): number {
  const given = options.warmupSteps > 0
  const steps = given ? options.warmupSteps : Math.round(options.warmupEpochs * stepsPerEpoch)
  if (steps <= totalSteps) return steps
  throw new CaeError('ERR_CAE_OPTION', {
    what: `${given ? 'warmupSteps' : 'warmupEpochs'}: the warm-up of ${steps} steps is longer than the whole run of ${totalSteps}`,
    todo: `train longer, or set ${given ? `warmupSteps to at most ${totalSteps}` : `warmupEpochs to at most ${totalSteps / stepsPerEpoch}`}`,
  })
}
