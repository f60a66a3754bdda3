import type { MeasureEvent, StepEvent, WarningEvent } from './events.js'
import type { Metrics } from './means.js'

/** Losses that the present one is compared with. */
const windowSteps = 100

/** So many of them must be there. */
const leastSteps = 50

/** How far above the median a loss is high: in deviations as robust as the median, and at least by this share of it. */
const deviations = 8
const leastRise = 0.25

/** So many high losses in a row are a spike. A single odd batch is none. */
const highInARow = 5

/** Median absolute deviation to standard deviation, for normal noise. */
const toStandard = 1.4826

/** A stretch of high losses. */
export interface LossSpike {
  /** Median of the losses before. */
  readonly usual: number
  /** Mean of the high ones. */
  readonly high: number
  readonly steps: number
}

/** Losses of the last steps: those that are usual, and the row of high ones that the run is in. */
interface SpikeState {
  readonly usual: readonly number[]
  readonly high: readonly number[]
}

/** What a run that goes on must know to warn of what the unbroken one would, and of nothing twice. */
export interface HealthState extends SpikeState {
  /** Troubles that the run has told. */
  readonly told: readonly string[]
}

/**
 * Finds stretches where the loss is far above what it was: five steps in a row above the median of the last hundred by eight robust standard
 * deviations (1.4826 times the median absolute deviation) and by a quarter. Only losses that are not high become part of what is usual.
 */
export class SpikeDetector {
  private readonly usual: number[]
  private readonly high: number[]

  constructor(from: SpikeState = { usual: [], high: [] }) {
    this.usual = [...from.usual]
    this.high = [...from.high]
  }

  get state(): SpikeState {
    return { usual: [...this.usual], high: [...this.high] }
  }

  /** Takes the loss of a step. @returns the spike that it completes */
  add(loss: number): LossSpike | undefined {
    const usual = median(this.usual)
    const spread = toStandard * median(this.usual.map((value) => Math.abs(value - usual)))
    const isHigh = this.usual.length >= leastSteps && loss - usual > Math.max(deviations * spread, leastRise * Math.abs(usual))
    if (!isHigh) {
      this.high.length = 0
      this.usual.push(loss)
      if (this.usual.length > windowSteps) this.usual.shift()
      return undefined
    }
    this.high.push(loss)
    if (this.high.length !== highInARow) return undefined
    return { usual, high: this.high.reduce((sum, value) => sum + value, 0) / highInARow, steps: highInARow }
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [below = Number.NaN, above = Number.NaN] = [sorted[middle - 1], sorted[middle]]
  return sorted.length % 2 === 1 ? above : (below + above) / 2
}

/** Below these the features of different images are as good as one vector; both must be. Start weights of small models have 0.2 and 5. */
const collapsedStd = 0.05
const collapsedRank = 2

/** After this share of the run, and so many steps, the main loss should be below that of a constant prediction by more than this leaves. */
const learningShare = 0.2
const learningSteps = 1000
const learnedNothing = 0.98

/** Watches what a run measures for trouble that is finite, and words it; each trouble is told once in a run. */
export class HealthWatch {
  private readonly spikes: SpikeDetector
  private readonly told: Set<string>

  /** @param from of a run that goes on */
  constructor(from?: HealthState) {
    this.spikes = new SpikeDetector(from)
    this.told = new Set(from?.told)
  }

  get state(): HealthState {
    return { ...this.spikes.state, told: [...this.told] }
  }

  /** @param newest checkpoint: it is from before the trouble, or close to it */
  step({ step, metrics, skipped }: StepEvent, newest: string | undefined): WarningEvent[] {
    const spike = skipped || metrics.loss === undefined ? undefined : this.spikes.add(metrics.loss)
    if (spike === undefined) return []
    const { usual, high, steps } = spike
    return this.once('spike', 'ERR_CAE_SPIKE', [
      `the loss has risen from ${short(usual)} to ${short(high)} for ${steps} steps in a row, up to step ${step}`,
      `  at: the newest checkpoint is ${newest ?? 'none: none was written yet'}`,
      '  try: if it does not come back by itself, start from an earlier checkpoint with `initFrom`, a lower `lr`, a longer warm-up or a smaller `clipNorm`',
    ])
  }

  /** @param at where `feature_std` and `effective_rank` are those of an encoder's features, and `recent` holds means over the last steps */
  measure(at: Pick<MeasureEvent, 'step' | 'metrics'> & { readonly steps: number; readonly recent: Metrics }): WarningEvent[] {
    return [...this.collapse(at), ...this.constant(at)]
  }

  private collapse({ step, metrics }: Pick<MeasureEvent, 'step' | 'metrics'>): WarningEvent[] {
    const { feature_std: std, effective_rank: rank } = metrics
    if (std === undefined || rank === undefined || !(std < collapsedStd && rank < collapsedRank)) return []
    return this.once('collapse', 'ERR_CAE_COLLAPSED', [
      `the encoder's features have collapsed: they are nearly the same for all images (feature_std ${short(std)} of 1, effective_rank ${short(rank)})`,
      `  at: step ${step}`,
      '  try: a smaller `alignWeight`, so that what is predicted of pixels or tokens counts more; a lower `lr` or `weightDecay`',
    ])
  }

  private constant({ step, steps, recent }: { readonly step: number; readonly steps: number; readonly recent: Metrics }): WarningEvent[] {
    const { relative_loss: relative } = recent
    if (relative === undefined || relative < learnedNothing || step < Math.max(learningSteps, learningShare * steps)) return []
    return this.once('constant', 'ERR_CAE_COLLAPSED', [
      `the predictions are no better than a constant: the main loss is ${short(relative)} of what that would give (relative_loss)`,
      `  at: step ${step} of ${steps}`,
      '  try: a smaller `alignWeight`, another `lr`, or look at the pictures in images/ whether the data is what it should be',
    ])
  }

  private once(key: string, code: WarningEvent['code'], lines: readonly string[]): WarningEvent[] {
    if (this.told.has(key)) return []
    this.told.add(key)
    return [{ type: 'warning', code, message: lines.join('\n') }]
  }
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)))
}
