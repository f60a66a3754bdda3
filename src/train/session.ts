import type { TrainConfig } from '../config/train.js'
import { CaeError } from '../errors.js'
import type { RunFolder } from '../io/run-folder.js'
import type { Addon } from '../native/addon.js'
import type { BatchHandle, Hyper, ModelHandle, NativeTrainConfig, StepMetrics, TrainerHandle } from '../native/types.js'
import type { BadImageFile } from './bad-image-file.js'
import { type CaptureContext, Captures } from './capture.js'
import { pruneCheckpoints, writeCheckpoint } from './checkpoint.js'
import type { StartEvent, TrainEvent, TrainSummary, WarningEvent } from './events.js'
import { HealthWatch } from './health.js'
import { type LoopParts, trainLoop } from './loop.js'
import { MetricsFile } from './metrics.js'
import { type Picture, PictureWriter } from './pictures.js'
import type { RunPlan } from './plan.js'
import { atStart, Progress } from './progress.js'
import type { ResumePoint } from './resume.js'
import type { StepPart } from './step-batches.js'
import { tensorEntries } from './tensor-files.js'

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
  readonly pictures: readonly Picture[]
  /** Gives a batch the ids that are to be predicted, as a new handle; absent where none are. */
  readonly tokenize: ((batch: BatchHandle) => Promise<BatchHandle>) | undefined
  /** Numbers of the steps that have pictures, where the method has some and they can be had. Never fails. */
  readonly measure: (() => Promise<Readonly<Record<string, number>> | undefined>) | undefined
  /** What a captured step is described with. */
  readonly captured: Omit<CaptureContext, 'tensors'>
  /** Where the method looks for failures that are finite. */
  readonly judge: LoopParts['judge']
  /** Warnings to tell as soon as an event can be told; more may come at any time. */
  readonly warnings: WarningEvent[]
  /** Hears every event; the run waits. */
  emit(event: TrainEvent): Promise<void>
}

/**
 * Trains to the end and writes all of a run's files on the way.
 * @throws as `trainLoop`, and {CaeError} ERR_CAE_OUTPUT when a file cannot be written; the last checkpoint is intact then
 */
export async function runSession(session: Session, signal?: AbortSignal): Promise<TrainSummary> {
  const { addon, config, plan, folder, resume, badImages, warnings } = session
  const emit = async (event: TrainEvent): Promise<void> => {
    await session.emit(event)
    for (const warning of warnings.splice(0)) await session.emit(warning)
  }
  const from = resume?.state ?? atStart
  await using metrics = await MetricsFile.open(folder.metrics, from.step)
  await badImages.attach(folder.badImages)
  for (const problem of resume?.damaged ?? []) {
    const message = `${problem.message}\n  went on from ${resume?.checkpoint.path} instead`
    warnings.push({ type: 'warning', code: 'ERR_CAE_CHECKPOINT', message })
  }
  await emit(startEvent(session, from.step))

  const progress = new Progress(plan, from)
  const pictures = new PictureWriter(folder.images, session.pictures, emit)
  const health = new HealthWatch(from.recent.flatMap(({ loss }) => loss ?? []))
  const captures = new Captures(folder.debug, { ...session.captured, tensors: () => tensorsOf(session) })
  let newest = resume?.checkpoint.path
  const save = async (): Promise<string> => {
    await folder.assertHeld()
    await badImages.flush()
    await metrics.sync() // before the checkpoint: a resume must find the line of every step up to it
    const checkpoint = await writeCheckpoint(folder.checkpoints, checkpointContent(session, progress, newest))
    newest = checkpoint.path
    await pruneCheckpoints(folder.checkpoints, checkpoint.step, config)
    await emit({ type: 'checkpoint', ...checkpoint })
    return checkpoint.path
  }
  const checkpoint = await trainLoop(
    {
      plan,
      settings: config,
      progress,
      batches: session.batches,
      step: async (parts, hyper) => {
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
      save,
      capture: (step) => captures.write(step, progress.updates),
      ...(session.judge ? { judge: session.judge } : {}),
      draw: (when) => pictures.write(progress.step, when),
      newestCheckpoint: () => newest,
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

async function stepOf({ addon, trainer, tokenize }: Session, batches: readonly BatchHandle[], hyper: Hyper): Promise<StepMetrics> {
  if (!tokenize) return addon.step(trainer, batches, hyper)
  const complete: BatchHandle[] = []
  try {
    for (const batch of batches) complete.push(await tokenize(batch))
    return await addon.step(trainer, complete, hyper)
  } finally {
    await Promise.all(complete.map((batch) => addon.dispose(batch)))
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

/** @param newest named when the weights turn out not to be worth keeping */
function checkpointContent({ addon, model, trainer, modelMetadata }: Session, progress: Progress, newest: string | undefined) {
  const readModel = async (names: readonly string[]) => {
    const tensors = await addon.modelRead(model, names)
    tensors.forEach(({ data }, at) => {
      if (!allFinite(data)) throw notFinite(names[at] ?? '', progress.step, newest)
    })
    return tensors
  }
  return {
    step: progress.step,
    model: tensorEntries(addon.modelTensors(model), readModel),
    modelMetadata,
    optimizer: tensorEntries(addon.trainerTensors(trainer), (names) => addon.trainerRead(trainer, names)),
    state: progress.state,
  }
}

/** Of a sum of 0 · x nothing is left but NaN, and that only when some x is not finite: no branch an element. */
function allFinite(data: Float32Array): boolean {
  let sum = 0
  for (let at = 0; at < data.length; at++) sum += 0 * (data[at] ?? 0)
  return sum === 0
}

function notFinite(tensor: string, step: number, newest: string | undefined): CaeError {
  return new CaeError('ERR_CAE_DIVERGED', {
    what: `the weights are not finite any more (${tensor}): no checkpoint is made of them`,
    where: `step ${step}; the last good checkpoint is ${newest ?? 'none: none was written yet'}`,
    todo: 'lower `lr`, lengthen the warm-up, or set `clipNorm`; then start from that checkpoint with `initFrom`',
  })
}
