import type { StepMetrics } from '../native/types.js'
import type { EpochEvent, StepEvent, TrainSummary } from './events.js'
import { Means, type MeansState, type Metrics, RecentMeans } from './means.js'
import type { RunPlan } from './plan.js'
import { RateMeter } from './rates.js'
import { valueAtStep } from './schedule.js'

/** Steps that the summary's metrics are means over. */
const recentSteps = 50

/** Where a run stands. With weights and moments it is all that a resume computes from; no generator state exists. */
export interface ProgressState {
  readonly format: 1
  /** Optimizer steps done, skipped ones included. */
  readonly step: number
  /** Updates that the optimizer has made: its bias correction counts them. */
  readonly updates: number
  readonly skippedSteps: number
  readonly skippedInARow: number
  /** Seconds of training, pauses between resumes not counted. */
  readonly seconds: number
  readonly epoch: MeansState & { readonly seconds: number }
  readonly recent: readonly Metrics[]
}

/** Where every run begins. */
export const atStart: ProgressState = {
  format: 1,
  step: 0,
  updates: 0,
  skippedSteps: 0,
  skippedInARow: 0,
  seconds: 0,
  epoch: { count: 0, sums: {}, seconds: 0 },
  recent: [],
}

/** Counts steps, keeps means and rates, and words them as events. */
export class Progress {
  private readonly epochMeans: Means
  private readonly recentMeans: RecentMeans
  private readonly rates: RateMeter
  private counts: Pick<ProgressState, 'step' | 'updates' | 'skippedSteps' | 'skippedInARow'>
  private readonly began: number
  private epochBegan: number

  /** @param now milliseconds of a monotonic clock */
  constructor(
    private readonly plan: RunPlan,
    private readonly from: ProgressState,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.epochMeans = new Means(from.epoch)
    this.recentMeans = new RecentMeans(recentSteps, from.recent)
    this.rates = new RateMeter(now())
    this.began = now()
    this.epochBegan = this.began - from.epoch.seconds * 1000
    this.counts = from
  }

  /** Steps done so far. */
  get step(): number {
    return this.counts.step
  }

  get skippedInARow(): number {
    return this.counts.skippedInARow
  }

  get skippedSteps(): number {
    return this.counts.skippedSteps
  }

  /** Updates that the optimizer has made. */
  get updates(): number {
    return this.counts.updates
  }

  /** Means over the last steps. */
  get recent(): Metrics {
    return this.recentMeans.get()
  }

  /** Seconds of training so far, earlier parts of a resumed run included. */
  get seconds(): number {
    return this.from.seconds + (this.now() - this.began) / 1000
  }

  /** Counts a finished step. @param waitMs time that it had to wait for its data */
  finishStep({ values, skipped }: StepMetrics, waitMs: number): StepEvent {
    const { plan } = this
    const { step: done, updates, skippedSteps, skippedInARow } = this.counts
    const step = done + 1
    this.counts = {
      step,
      updates: updates + (skipped ? 0 : 1),
      skippedSteps: skippedSteps + (skipped ? 1 : 0),
      skippedInARow: skipped ? skippedInARow + 1 : 0,
    }
    if (!skipped) {
      this.epochMeans.add(values)
      this.recentMeans.add(values)
    }
    this.rates.step(this.now(), plan.batchSize, waitMs)
    const rates = this.rates.recent()
    return {
      type: 'step',
      step,
      steps: plan.steps,
      epoch: step / plan.stepsPerEpoch,
      metrics: values,
      lr: valueAtStep(done, plan.lr),
      weightDecay: valueAtStep(done, plan.weightDecay),
      skipped,
      imagesPerSecond: rates.imagesPerSecond,
      dataWaitShare: rates.dataWaitShare,
      etaSeconds: (plan.steps - step) * rates.secondsPerStep,
    }
  }

  /** The event of the epoch that the last step ended, or undefined in the middle of one. */
  finishEpoch(): EpochEvent | undefined {
    if (this.step % this.plan.stepsPerEpoch !== 0) return undefined
    const now = this.now()
    const event: EpochEvent = {
      type: 'epoch',
      epoch: this.step / this.plan.stepsPerEpoch,
      metrics: this.epochMeans.get(),
      seconds: (now - this.epochBegan) / 1000,
    }
    this.epochMeans.clear()
    this.epochBegan = now
    return event
  }

  get state(): ProgressState {
    const epochSeconds = (this.now() - this.epochBegan) / 1000
    const epoch = { ...this.epochMeans.state, seconds: epochSeconds }
    return { format: 1, ...this.counts, seconds: this.seconds, epoch, recent: this.recentMeans.state }
  }

  /** @param files what only the run's files know */
  summary(files: Pick<TrainSummary, 'badImages' | 'checkpoint'>): TrainSummary {
    const { imagesPerSecond, dataWaitShare } = this.rates.overall(this.step - this.from.step)
    return {
      steps: this.step,
      epochs: this.step / this.plan.stepsPerEpoch,
      seconds: this.seconds,
      imagesPerSecond,
      dataWaitShare,
      metrics: this.recentMeans.get(),
      skippedSteps: this.counts.skippedSteps,
      ...files,
    }
  }
}
