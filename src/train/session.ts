import type { TrainConfig } from '../config/train.js'
import type { SeenContent } from '../data/seen-content.js'
import { CaeError } from '../errors.js'
import { countNonFinite } from '../io/finite-watch.js'
import type { RunFolder } from '../io/run-folder.js'
import { tensorEntries } from '../io/tensor-entries.js'
import type { Addon } from '../native/addon.js'
import type { BatchHandle, Hyper, ModelHandle, NativeTrainConfig, StepMetrics, TrainerHandle } from '../native/types.js'
import { BackgroundWriter } from './background-writer.js'
import type { BadImageFile } from './bad-image-file.js'
import { type CaptureContext, Captures } from './capture.js'
import { type CheckpointContent, pointLatest, pruneCheckpoints, writeCheckpoint } from './checkpoint.js'
import { writeContentSums } from './content-sums-file.js'
import type { StartEvent, TrainEvent, TrainSummary, WarningEvent } from './events.js'
import { HealthWatch } from './health.js'
import { type LoopParts, trainLoop } from './loop.js'
import { MetricsFile } from './metrics.js'
import { type Picture, PictureWriter } from './pictures.js'
import type { RunPlan } from './plan.js'
import { atStart, Progress } from './progress.js'
import type { ResumePoint, RunState } from './resume.js'
import type { StepPart } from './step-batches.js'
import { copiedEntries } from './tensor-files.js'

/** Everything a run is made of once it may begin: all of it checked, nothing of it written yet but the folder. */
export interface Session {
  readonly addon: Addon
  /** With the weights to start from: fresh ones, `initFrom`'s, or the resumed checkpoint's. */
  readonly model: ModelHandle
  /** For the head of the weights' files. */
  readonly modelMetadata: Readonly<Record<string, string>>
  readonly trainer: TrainerHandle
  /** The method's metrics, in the order in which people read them. */
  readonly columns: readonly string[]
  readonly config: TrainConfig
  readonly plan: RunPlan
  readonly device: string
  readonly precision: NativeTrainConfig['precision']
  readonly folder: RunFolder
  readonly resume: ResumePoint | undefined
  /** Of each step from the first one to come. */
  readonly batches: AsyncIterator<readonly StepPart[]>
  readonly badImages: BadImageFile
  readonly seen: SeenContent
  readonly pictures: readonly Picture[]
  /** Gives a batch the targets that another network makes of it, as a new handle; absent where none does. */
  readonly complete: ((batch: BatchHandle) => Promise<BatchHandle>) | undefined
  /** Numbers of the steps that have pictures, where the method has some and they can be had. Never fails. */
  readonly measure: (() => Promise<Readonly<Record<string, number>> | undefined>) | undefined
  /** What a captured step is described with. */
  readonly captured: Omit<CaptureContext, 'tensors'>
  /** Where the method looks for failures that are finite. */
  readonly judge: LoopParts['judge']
  /** Warnings to tell as soon as an event can be told; more may come at any time. */
  readonly warnings: WarningEvent[]
  /** Hears every event, one after the other; the run waits. */
  emit(event: TrainEvent): Promise<void>
  /** As in `LoopParts`. */
  readonly checkpointWanted: () => boolean
}

/**
 * Trains to the end and writes all of a run's files on the way.
 * @throws as `trainLoop`, and {CaeError} ERR_CAE_OUTPUT when a file cannot be written; the last checkpoint is intact then
 */
export async function runSession(session: Session, signal?: AbortSignal): Promise<TrainSummary> {
  const { addon, config, plan, folder, resume, badImages, warnings } = session
  let told: Promise<unknown> = Promise.resolve()
  const emit = (event: TrainEvent): Promise<void> => {
    // In turn: the loop and a checkpoint that is being written tell events side by side.
    const telling = told.then(async () => {
      await session.emit(event)
      for (const warning of warnings.splice(0)) await session.emit(warning)
    })
    told = telling.catch(() => undefined)
    return telling
  }
  const from = resume?.state ?? atStart
  await using metrics = await MetricsFile.open(folder.metrics, from.step)
  await badImages.attach(folder.badImages)
  for (const problem of resume?.damaged ?? []) {
    const message = `${problem.message}\n  went on from ${resume?.checkpoint.path} instead`
    warnings.push({ type: 'warning', code: 'ERR_CAE_CHECKPOINT', message })
  }
  if (resume) await pointLatest(folder.checkpoints, resume.checkpoint.step)
  await emit(startEvent(session, from.step))

  const progress = new Progress(plan, from)
  const pictures = new PictureWriter(folder.images, session.pictures, emit)
  const health = new HealthWatch(resume?.state.health)
  const captures = new Captures(folder.debug, { ...session.captured, tensors: () => tensorsOf(session) })
  let newest = resume?.checkpoint.path
  const write = async (content: CheckpointContent): Promise<void> => {
    await folder.assertHeld()
    await badImages.flush()
    await writeContentSums(folder.contentSums, session.seen)
    await metrics.sync() // before the checkpoint: a resume must find the line of every step up to it
    const checkpoint = await writeCheckpoint(folder.checkpoints, content)
    newest = checkpoint.path
    await pruneCheckpoints(folder.checkpoints, checkpoint.step, config)
    await emit({ type: 'checkpoint', ...checkpoint })
  }
  await using writer = new BackgroundWriter()
  const checkpoint = await trainLoop(
    {
      plan,
      settings: config,
      progress,
      batches: session.batches,
      step: async (parts, hyper) => {
        writer.throwIfFailed()
        const batches = parts.map(({ handle }) => handle)
        return inOrder(await stepOf(session, batches, hyper), session.columns)
      },
      dispose: ({ handle }) => addon.dispose(handle),
      emit: async (event) => {
        if (event.type !== 'step') return emit(event)
        const { seconds, step } = progress
        const measured = isMeasured(step, plan.steps, config.figureEvery) ? await session.measure?.() : undefined
        await metrics.append(event, seconds, measured)
        warnings.push(...health.step(event, newest))
        await emit(event)
        if (!measured) return
        warnings.push(...health.measure({ step, metrics: measured, steps: plan.steps, recent: progress.recent }))
        await emit({ type: 'measure', step, metrics: measured })
      },
      async save() {
        await writer.idle() // before the next copy of the weights is made
        const content = await checkpointContent(session, { ...progress.state, health: health.state }, newest)
        writer.begin(() => write(content))
      },
      async saved() {
        await writer.idle()
        return newest ?? '' // one has just been written
      },
      checkpointWanted: session.checkpointWanted,
      capture: (step) => captures.write(step, progress.updates),
      ...(session.judge ? { judge: session.judge } : {}),
      draw: (when) => pictures.write(progress.step, when),
      newestCheckpoint: () =>
        writer.idle().then(
          () => newest,
          () => newest,
        ),
    },
    signal,
  )
  await badImages.flush()
  const summary = progress.summary({ badImages: badImages.count, checkpoint })
  await emit({ type: 'end', summary })
  return summary
}

/** Numbers go with the step, before its checkpoint: a resume finds them in its line. Pictures come after it. */
function isMeasured(step: number, steps: number, figureEvery: number): boolean {
  return step === steps || (figureEvery > 0 && step % figureEvery === 0)
}

/** All that training changes, on its way to a file. */
function tensorsOf({ addon, model, trainer }: Session) {
  return {
    model: tensorEntries(addon.modelTensors(model), (names) => addon.modelRead(model, names)),
    optimizer: tensorEntries(addon.trainerTensors(trainer), (names) => addon.trainerRead(trainer, names)),
  }
}

async function stepOf({ addon, trainer, complete }: Session, batches: readonly BatchHandle[], hyper: Hyper): Promise<StepMetrics> {
  if (!complete) return addon.step(trainer, batches, hyper)
  const completed: BatchHandle[] = []
  try {
    for (const batch of batches) completed.push(await complete(batch))
    return await addon.step(trainer, completed, hyper)
  } finally {
    await Promise.all(completed.map((batch) => addon.dispose(batch)))
  }
}

/** Native code tells metrics by the alphabet. */
function inOrder(metrics: StepMetrics, columns: readonly string[]): StepMetrics {
  const told = columns.flatMap((name) => (name in metrics.values ? [[name, metrics.values[name]]] : []))
  return { ...metrics, values: { ...Object.fromEntries(told), ...metrics.values } }
}

function startEvent({ folder, plan, device, precision, resume, addon, model }: Session, startStep: number): StartEvent {
  const trainable = addon.modelTensors(model).filter((tensor) => tensor.trainable)
  return {
    type: 'start',
    out: folder.out,
    steps: plan.steps,
    startStep,
    stepsPerEpoch: plan.stepsPerEpoch,
    images: plan.images,
    batchSize: plan.batchSize,
    device,
    precision,
    parameters: trainable.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0),
    ...(resume ? { resumedFrom: resume.checkpoint.path } : {}),
  }
}

/**
 * Copies what a checkpoint holds as it is now: 12 bytes a parameter, until they are written. Training may go on when this has resolved.
 * @param newest named when the weights turn out not to be worth keeping
 */
async function checkpointContent(
  { addon, model, trainer, modelMetadata }: Session,
  state: RunState,
  newest: string | undefined,
): Promise<CheckpointContent> {
  const { step } = state
  const assertFinite = (name: string, data: Float32Array): void => {
    if (countNonFinite(data) > 0) throw notFinite(name, step, newest)
  }
  return {
    step,
    model: await copiedEntries(addon.modelTensors(model), (names) => addon.modelRead(model, names), assertFinite),
    modelMetadata,
    optimizer: await copiedEntries(addon.trainerTensors(trainer), (names) => addon.trainerRead(trainer, names)),
    state,
  }
}

function notFinite(tensor: string, step: number, newest: string | undefined): CaeError {
  return new CaeError('ERR_CAE_DIVERGED', {
    what: `the weights are not finite any more (${tensor}): no checkpoint is made of them`,
    where: `step ${step}; the last good checkpoint is ${newest ?? 'none: none was written yet'}`,
    todo: 'lower `lr`, lengthen the warm-up, or set `clipNorm`; then start from that checkpoint with `initFrom`',
  })
}
