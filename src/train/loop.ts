import { CaeError } from '../errors.js'
import type { Hyper, StepMetrics } from '../native/types.js'
import type { SkippedStep } from './capture.js'
import type { TrainEvent } from './events.js'
import type { Metrics } from './means.js'
import { type RunPlan, scheduleAt } from './plan.js'
import type { Progress } from './progress.js'
import { valueAtStep } from './schedule.js'
import type { StepPart } from './step-batches.js'

/** What the loop needs to know beside the plan. */
export interface LoopSettings {
  readonly seed: number
  readonly clipNorm: number
  /** Steps between checkpoints; 0: only at the end. */
  readonly checkpointEvery: number
  /** Steps between figures; 0: only at the end. */
  readonly figureEvery: number
  readonly maxSkippedSteps: number
}

/** Everything the loop moves, but does not know the inside of. */
export interface LoopParts {
  readonly plan: RunPlan
  readonly settings: LoopSettings
  readonly progress: Progress
  /** Batches of each step from the first one to come, one a part. Ends with an error when the data is not good enough. */
  readonly batches: AsyncIterator<readonly StepPart[]>
  step(batches: readonly StepPart[], hyper: Hyper): Promise<StepMetrics>
  dispose(batch: StepPart): Promise<void>
  /** Tells an event to the run's own files and to readers; the loop waits. */
  emit(event: TrainEvent): Promise<void>
  /** Begins a checkpoint of the present state: when this has resolved the state may change, and the checkpoint is still being written. */
  save(): Promise<void>
  /** Waits until no checkpoint is being written; path of the newest. @throws what a write has failed with */
  saved(): Promise<string>
  /** Whether somebody has asked for a checkpoint since this was last called. */
  checkpointWanted?(): boolean
  /** Keeps what is needed to do a step again that changed nothing; says where, or why it could not. Never fails. */
  capture(step: SkippedStep): Promise<string>
  /** Whether the run is worth going on with; why not, and what to change. `recent` holds means over the last steps. */
  judge?(at: { readonly step: number; readonly steps: number; readonly recent: Metrics }): { what: string; todo: string } | undefined
  /** Draws and writes pictures of the present state; never fails. */
  draw(when: 'interval' | 'end'): Promise<void>
  /** Path of the newest checkpoint that is complete when none is being written any more, for messages. Never fails. */
  newestCheckpoint(): Promise<string | undefined>
}

/**
 * Takes a run from where `progress` stands to its last step: data and computing side by side, events, checkpoints and figures in between.
 * @returns path of the last checkpoint
 * @throws `signal.reason`, unchanged, after the step in flight and a checkpoint; {CaeError} ERR_CAE_DIVERGED after too many steps in a row that
 * were not finite; {CaeError} ERR_CAE_DATA from the batches, after a checkpoint
 */
export async function trainLoop(parts: LoopParts, signal?: AbortSignal): Promise<string> {
  const { plan, settings, progress } = parts
  let savedStep = (await parts.newestCheckpoint()) === undefined ? undefined : progress.step
  const save = async (): Promise<void> => {
    if (savedStep !== progress.step) await parts.save()
    savedStep = progress.step
  }
  /** Keeps what was learned, then gives up. Before the first step there is nothing to keep. */
  const stop = async (reason: unknown): Promise<never> => {
    if (progress.step > 0) await save().then(parts.saved)
    throw reason
  }
  const drawIfDue = async (): Promise<void> => {
    const isDue = settings.figureEvery > 0 && progress.step > 0 && progress.step % settings.figureEvery === 0
    if (isDue && progress.step < plan.steps && !signal?.aborted) await parts.draw('interval')
  }

  let next = progress.step < plan.steps ? request(parts) : undefined
  try {
    await drawIfDue() // of a resumed run: it is drawn after the checkpoint, and the part before may have ended in between
    while (next) {
      if (signal?.aborted) await stop(signal.reason)
      const waitFrom = performance.now()
      const arrived = await next
      const waitMs = performance.now() - waitFrom
      if ('error' in arrived) await stop(signal?.aborted ? signal.reason : arrived.error)
      else {
        const hyper = hyperOf(progress.step, plan, settings)
        const computing = parts.step(arrived.batches, hyper)
        next = progress.step + 1 < plan.steps ? request(parts) : undefined // while the step runs
        const result = await computing.finally(() => disposeAll(parts, arrived.batches))
        await afterStep(parts, { hyper, batches: arrived.batches, result }, waitMs)
        const isDue = settings.checkpointEvery > 0 && progress.step % settings.checkpointEvery === 0
        if (parts.checkpointWanted?.() || isDue) await save()
        await drawIfDue()
      }
    }
  } finally {
    const left = await next // asked for and not used: on every path out
    if (left && 'batches' in left) await disposeAll(parts, left.batches)
  }
  const path = await save().then(parts.saved)
  await parts.draw('end')
  return path
}

/** What came of asking for batches. Never a rejection: nobody may be waiting for it yet. */
type Arrived = { readonly batches: readonly StepPart[] } | { readonly error: unknown }

async function request({ batches }: LoopParts): Promise<Arrived> {
  try {
    const { value, done } = await batches.next()
    if (!done) return { batches: value }
    return { error: new CaeError('ERR_CAE_INTERNAL', { what: 'the batches ended before the run did' }) }
  } catch (error) {
    return { error }
  }
}

async function disposeAll({ dispose }: LoopParts, batches: readonly StepPart[]): Promise<void> {
  await Promise.all(batches.map((batch) => dispose(batch)))
}

function hyperOf(step: number, plan: RunPlan, { seed, clipNorm }: LoopSettings): Hyper {
  const [lr, weightDecay] = [valueAtStep(step, plan.lr), valueAtStep(step, plan.weightDecay)]
  return { step, lr, weightDecay, clipNorm, seed, firstPosition: 0, schedule: scheduleAt(plan, step) }
}

/** @throws {CaeError} ERR_CAE_DIVERGED when the method finds that the run has failed although its numbers are finite */
async function judge(parts: LoopParts): Promise<void> {
  const { progress, plan } = parts
  const verdict = parts.judge?.({ step: progress.step, steps: plan.steps, recent: progress.recent })
  if (verdict === undefined) return
  const where = `step ${progress.step}; the last checkpoint is ${(await parts.newestCheckpoint()) ?? 'none: none was written yet'}`
  throw new CaeError('ERR_CAE_DIVERGED', { ...verdict, where })
}

async function afterStep(parts: LoopParts, step: SkippedStep, waitMs: number): Promise<void> {
  const { progress, settings } = parts
  const { result } = step
  const event = progress.finishStep(result, waitMs)
  await parts.emit(event)
  const epoch = progress.finishEpoch()
  if (epoch) await parts.emit(epoch)
  if (!result.skipped) return judge(parts)
  const { loss, grad_norm: norm } = result.values
  const facts = `loss ${loss}, gradient norm ${norm}, learning rate ${event.lr}`
  const captured = progress.skippedInARow === 1 ? await parts.capture(step) : undefined // what follows one is often more of the same
  if (progress.skippedSteps === 1) {
    const what = `step ${event.step} changed nothing: its loss or gradient is not finite (${facts}); metrics.jsonl marks such steps as skipped`
    await parts.emit({ type: 'warning', code: 'ERR_CAE_DIVERGED', message: captured === undefined ? what : `${what}\n  ${captured}` })
  }
  if (progress.skippedInARow <= settings.maxSkippedSteps) return
  throw new CaeError('ERR_CAE_DIVERGED', {
    what: `${progress.skippedInARow} steps in a row had a loss or gradient that is not finite (${facts})`,
    where: `step ${event.step}; the last good checkpoint is ${(await parts.newestCheckpoint()) ?? 'none: none was written yet'}`,
    todo: 'lower `lr`, lengthen the warm-up, or set `clipNorm`; then start from that checkpoint with `initFrom`',
  })
}
