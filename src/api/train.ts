import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { DeviceName } from '../config/train.js'
import type { BadImage } from '../data/bad-images.js'
import { subset } from '../data/combine.js'
import type { Dataset } from '../data/dataset.js'
import { createLoader } from '../data/loader.js'
import { SeenContent } from '../data/seen-content.js'
import { openData } from '../data/sources/registry.js'
import { CaeError } from '../errors.js'
import { messageOf } from '../io/output-error.js'
import { RunFolder, runPath } from '../io/run-folder.js'
import { declarationOf } from '../methods/registry.js'
import { type ModelConfig, nativeModelConfig, type Resolved, type RunPlaces, resolveTrain, type TrainOptions } from '../methods/resolve.js'
import type { Addon } from '../native/addon.js'
import { NativeHandle } from '../native/handle.js'
import { loadAddon } from '../native/load.js'
import type { BatchHandle, ModelHandle } from '../native/types.js'
import { tensorBoardListener } from '../report/tensorboard.js'
import { BadImageFile } from '../train/bad-image-file.js'
import { optimizerFile } from '../train/checkpoint.js'
import { recallContent } from '../train/content-sums-file.js'
import type { TrainEvent, TrainSummary, WarningEvent } from '../train/events.js'
import { Listeners } from '../train/listeners.js'
import type { Picture } from '../train/pictures.js'
import { planRun, scheduleAt } from '../train/plan.js'
import { TrainRun } from '../train/run.js'
import { assertSameData, compareMachines, compareRuns, type RunConfig } from '../train/run-config.js'
import { runSession } from '../train/session.js'
import { Peekable, stepBatches } from '../train/step-batches.js'
import { restoreTensors } from '../train/tensor-files.js'
import { chooseDevice } from './device.js'
import { measureEncoder } from './measure-encoder.js'
import { ContextAutoencoder } from './model.js'
import type { NativeModel } from './native-model.js'
import { type EarlierRun, findEarlierRun, loaderOptions, openModel, splitImages } from './open-run.js'
import { choosePrecision, type Precision, type PrecisionTrial } from './precision.js'
import { describeData, describeVersions } from './run-facts.js'
import { lossPicture, reconstructionPicture, type ShownImages } from './run-pictures.js'
import { findTarget, type RunTarget } from './run-target.js'
import type { Tokenizer } from './tokenizer.js'
import { weightsMetadata } from './weights.js'

/** What a finished run leaves in memory; the rest is in its folder. */
export interface TrainResult<Model = ContextAutoencoder> {
  /** The trained model; dispose it after use. */
  readonly model: Model
  readonly summary: TrainSummary
  /** The run's folder. */
  readonly out: string
  /** The images that `holdout` kept out of training; none by default. */
  readonly heldOut: Dataset
}

/**
 * Pre-trains a Context Autoencoder on images. Returns at once: await the run for its result, iterate over it for its events, or both.
 * @throws nothing itself; the run rejects with a {CaeError}: ERR_CAE_OPTION for a wrong option (nothing has been written then), ERR_CAE_DATA,
 * ERR_CAE_DEVICE, ERR_CAE_OUTPUT, ERR_CAE_DIVERGED, ...; or with `signal.reason` after an abort, which leaves a checkpoint
 * @example
 * const run = trainCAE({ data: 'photos/', out: 'runs/photos', model: 'cae-small', epochs: 100 })
 * for await (const event of run) if (event.type === 'step') console.log(event.step, event.metrics.loss)
 * const { model, summary } = await run
 */
export function trainCAE(options: Omit<TrainOptions, 'method'>): TrainRun<TrainResult> {
  return train({ ...options, method: 'cae' })
}

/** The same for any pre-training method. */
export function train(options: TrainOptions): TrainRun<TrainResult> {
  return new TrainRun(async (publish, checkpointWanted) => {
    const { data, out, signal } = options
    const target = await findTarget(options.target)
    const places = { data, out, signal, ...(target && { target }) }
    return runTraining(encoders, () => resolveTrain(options, target?.facts), places, publish, checkpointWanted)
  })
}

/** What runs of one kind of model have of their own. */
export interface RunKind<Config, Model> {
  /** The public object of a network. */
  open(native: NativeModel<Config>): Model
  /** What a run shows of its images. */
  pictures(model: Model, shown: ShownImages, seed: number, tokenizer: Tokenizer | undefined): readonly Picture[]
  /** What is measured beside the pictures, and at the end. */
  measure?(native: NativeModel<Config>, shown: ShownImages): Measuring
}

/** Numbers about a model, taken on the same images every time. */
export interface Measuring extends AsyncDisposable {
  measure(): Promise<Readonly<Record<string, number>>>
}

const encoders: RunKind<ModelConfig, ContextAutoencoder> = {
  open: (native) => new ContextAutoencoder(native),
  pictures: (model, shown, seed, tokenizer) => {
    if (model.config.target === 'latents') return [] // no picture is made of them
    const reconstruct: typeof model.reconstruct = (images, how) => model.reconstruct(images, { ...how, ...(tokenizer && { tokenizer }) })
    return [reconstructionPicture({ reconstruct }, shown, seed)]
  },
  measure: measureEncoder,
}

/** Everything that can be wrong is looked at first; the first write is the claim of the folder, when a first batch of images is there. */
export async function runTraining<Config extends Readonly<Record<string, unknown>>, Model extends AsyncDisposable>(
  kind: RunKind<Config, Model>,
  resolve: () => Resolved<Config>,
  options: RunPlaces & { readonly target?: RunTarget },
  publish: (event: TrainEvent) => void,
  checkpointWanted: () => boolean,
): Promise<TrainResult<Model>> {
  const { out, signal, target } = options
  const resolved = resolve()
  const method = declarationOf(resolved.train.method)
  signal?.throwIfAborted()
  const earlier = await findEarlierRun(out, resolved.train.resume, signal)
  const addon = await loadAddon()
  const device = chooseDevice(addon, wantedDevice(resolved, earlier))
  const threads = addon.configure({ threads: wantedThreads(resolved, earlier), deterministic: resolved.train.deterministic })
  const dataset = await openData(options.data, signal ? { signal } : {})
  const data = describeData(options.data, dataset)
  if (earlier && !resolved.train.allowConfigChange) assertSameData(earlier.config.data, data, earlier.path)
  const { training, heldOut } = await splitImages(dataset, resolved.train.holdout, resolved.train.seed)
  const plan = planRun(resolved.train, training.length, {
    lrSteps: (steps) => method.lrSteps?.(resolved.model, steps) ?? steps,
    schedules: (steps) => method.schedules?.(resolved.model, steps) ?? {},
  })

  const warnings: WarningEvent[] = [...resolved.notes, ...(dataset.notes ?? [])].map(note)
  const badImages = new BadImageFile()
  const knownBad = earlier ? await badImages.recall(runPath(out, 'badImages')) : []
  const seen = earlier ? await recallContent(runPath(out, 'contentSums'), dataset.length) : new SeenContent(dataset.length)
  const told = new Set<string>()
  const onBad = (record: BadImage): void => {
    if (!badImages.add(record) || told.has(record.code)) return
    told.add(record.code)
    const message = `${record.name}: ${record.reason}; it is left out of training, as are others like it: see bad-images.jsonl`
    warnings.push({ type: 'warning', code: 'ERR_CAE_BAD_IMAGE', message })
  }
  const doneSteps = earlier?.point.state.step ?? 0
  const given = { addon, dataset, indices: training, knownBad, seen, onBad, ...(signal ? { signal } : {}) }
  await using loader = createLoader(loaderOptions(method.input(resolved.model), resolved.train, given, plan, doneSteps, resolved.view))
  await using targets = await target?.open(addon, device as DeviceName)
  const batches = new Peekable(stepBatches(loader, plan.parts))
  const first = doneSteps < plan.steps ? (await batches.peek()).value : undefined
  const trial = resolved.train.precision === 'auto' && first?.[0] ? await targets?.complete(first[0].handle) : undefined
  const precision = await wantedPrecision(
    resolved,
    earlier,
    { addon, device, batch: trial ?? first?.[0]?.handle, schedule: scheduleAt(plan, 0), signal },
    warnings,
  ).finally(() => trial && addon.dispose(trial))
  const config: RunConfig = {
    format: 1,
    model: resolved.model,
    train: { ...resolved.train, steps: plan.steps, device: device as DeviceName, precision, threads },
    data,
    ...targets?.identity,
    ...(await describeVersions(addon)),
  }
  const changes = earlier ? [compareRuns(earlier.config, config, earlier.path), compareMachines(earlier.config, config)] : []
  warnings.push(...changes.filter((change) => change !== undefined).map(note))

  const native = await openModel(resolved, device, earlier?.point)
  const model = kind.open(native)
  try {
    await using folder = await RunFolder.claim(out)
    await folder.writeConfig(config)
    // Of a run that never got to a checkpoint.
    if (!earlier) for (const path of [folder.badImages, folder.contentSums, folder.debug]) await rm(path, { recursive: true, force: true })
    await using trainer = await openTrainer(addon, native.handle, config, earlier)
    await using listeners = new Listeners([tensorBoardListener(folder.tensorboard)])
    const { alpha, exif, maxPixels, readTimeout, figureImages: count, holdout, seed } = resolved.train
    const indices = holdout > 0 ? heldOut : training
    const decode = { alpha, exif, maxPixels, readTimeout }
    const shown = { dataset, indices, count, decode, signal, trainedOn: holdout === 0 }
    await using measuring = kind.measure?.(native, shown)
    const summary = await runSession(
      {
        addon,
        model: native.handle.get(),
        modelMetadata: weightsMetadata(native),
        trainer: trainer.get(),
        columns: method.columns,
        config: config.train,
        plan,
        device,
        precision,
        folder,
        resume: earlier?.point,
        batches,
        badImages,
        seen,
        pictures: [...kind.pictures(model, shown, seed, targets?.tokenizer), lossPicture(folder.metrics)],
        measure:
          measuring && (() => measuring.measure().catch((error) => void warnings.push(note(`nothing was measured: ${messageOf(error)}`)))),
        captured: { config, view: resolved.view ?? null, name: (index) => dataset.name?.(index) ?? `#${index}` },
        judge: method.judge,
        complete: targets?.complete,
        warnings,
        async emit(event) {
          await listeners.emit(event)
          publish(event)
        },
        checkpointWanted,
      },
      signal,
    )
    return { model, summary, out, heldOut: subset(dataset, heldOut) }
  } catch (error) {
    await model[Symbol.asyncDispose]()
    throw error
  }
}

/** A resumed run stays on the device that it began on, unless the user names another: then the two are compared. */
function wantedDevice({ train }: Pick<Resolved, 'train'>, earlier: EarlierRun | undefined): DeviceName {
  return train.device === 'auto' && earlier ? earlier.config.train.device : train.device
}

/** A resumed run keeps its number of threads, which sums depend on, unless the user names another: then the two are compared. */
function wantedThreads({ train }: Pick<Resolved, 'train'>, earlier: EarlierRun | undefined): number {
  return train.threads === 0 && earlier ? earlier.config.train.threads : train.threads
}

/** As `precision` says; 'auto' is what a resumed run began with, else what is faster here. */
async function wantedPrecision(
  { model, train }: Resolved<object>,
  earlier: EarlierRun | undefined,
  on: Pick<PrecisionTrial, 'addon' | 'device' | 'schedule' | 'signal'> & { readonly batch: BatchHandle | undefined },
  warnings: WarningEvent[],
): Promise<Precision> {
  if (train.precision !== 'auto') return train.precision
  if (earlier && earlier.config.train.precision !== 'auto') return earlier.config.train.precision
  const { beta1, beta2, eps, method } = train
  const { batch } = on
  if (!batch) throw new CaeError('ERR_CAE_INTERNAL', { what: 'there is no batch to try a precision with' })
  const trial = { ...on, batch, config: nativeModelConfig(model, method), optimizer: { beta1, beta2, eps } }
  const { precision, reason } = await choosePrecision(trial)
  warnings.push(note(`precision 'auto' is ${precision}: ${reason}`))
  return precision
}

async function openTrainer(addon: Addon, model: NativeHandle<ModelHandle>, { train }: RunConfig, earlier: EarlierRun | undefined) {
  const { precision, beta1, beta2, eps } = train
  if (precision === 'auto') throw new CaeError('ERR_CAE_INTERNAL', { what: 'the precision was not decided' })
  const trainer = new NativeHandle(addon, await addon.createTrainer(model.get(), { precision, beta1, beta2, eps }), 'trainer')
  if (earlier) {
    const { checkpoint, state } = earlier.point
    await restoreTensors(join(checkpoint.path, optimizerFile), addon.trainerTensors(trainer.get()), (names, tensors) =>
      addon.trainerWrite(trainer.get(), names, tensors, state.updates),
    )
  }
  return trainer
}

function note(message: string): WarningEvent {
  return { type: 'warning', code: 'NOTE', message }
}
