import { join } from 'node:path'

import type { DeviceName } from '../config/train.js'
import { createLoader } from '../data/loader.js'
import { type DataInput, openData } from '../data/sources/registry.js'
import { CaeError } from '../errors.js'
import { declarationOf } from '../methods/registry.js'
import { NativeHandle } from '../native/handle.js'
import { loadAddon } from '../native/load.js'
import type { BatchHandle, StepFindings, TensorFinding } from '../native/types.js'
import { type CapturedSample, readCapture, type StepCapture, valuesOf } from '../train/capture.js'
import { modelFile } from '../train/checkpoint.js'
import { planRun } from '../train/plan.js'
import { type StepPart, stepBatches } from '../train/step-batches.js'
import { restoreTensors } from '../train/tensor-files.js'
import { chooseDevice } from './device.js'
import { createNativeModel } from './native-model.js'
import { loaderOptions, splitImages } from './open-run.js'
import { describeData } from './run-facts.js'
import { findTarget } from './run-target.js'

/** Options of `replay`. */
export interface ReplayOptions {
  /** The images of the run, where they are not at the path that it was given, or were a `Dataset` of the caller's own. */
  readonly data?: DataInput | undefined
  readonly signal?: AbortSignal | undefined
}

/** What doing a captured step again gave. */
export interface Replay {
  /** As `metrics.jsonl` counts: 1 for the first. */
  readonly step: number
  /** Every metric came out with the bits that were recorded. */
  readonly reproduced: boolean
  /** Losses and gradient norm as recorded, and as they are now. */
  readonly recorded: Readonly<Record<string, number>>
  readonly replayed: Readonly<Record<string, number>>
  /** Which images, in the order of the batch. */
  readonly samples: readonly CapturedSample[]
  /** Tensors with numbers that are not finite: weights before the step; activations, the first to fail first; gradients, in the order of the network. */
  readonly nonFinite: { readonly [Kind in 'weights' | 'activations' | 'gradients']: readonly TensorFinding[] }
  readonly findings: StepFindings
}

/**
 * Does a step again that a run captured in `debug/step-N`: the same weights, the same batch through the loader, forward and backward. Nothing
 * is trained and nothing is written.
 * @param path folder of the captured step
 * @throws {CaeError} ERR_CAE_CHECKPOINT when the folder holds no captured step; ERR_CAE_DATA when the images are not those of the run;
 *   ERR_CAE_OPTION when `data` is missing and the run's was an object; ERR_CAE_DEVICE; `signal.reason` on abort
 * @example
 * const { reproduced, nonFinite } = await replay('runs/photos/debug/step-812')
 * console.log(reproduced, nonFinite.activations[0]?.name)
 */
export async function replay(path: string, { data, signal }: ReplayOptions = {}): Promise<Replay> {
  const capture = await readCapture(path)
  const { config, hyper } = capture
  const { train, model } = config
  const method = declarationOf(train.method)
  const addon = await loadAddon()
  const device = chooseDevice(addon, train.device)
  addon.configure({ threads: train.threads, deterministic: train.deterministic })

  const source = data ?? config.data.source
  if (source === null) throw optionMissing()
  const dataset = await openData(source, signal ? { signal } : {})
  assertSameData(capture, describeData(source, dataset), source)
  const { training } = await splitImages(dataset, train.holdout, train.seed)
  const plan = planRun(train, training.length)
  const given = { addon, dataset, indices: training, onBad: () => undefined, ...(signal ? { signal } : {}) }
  await using loader = createLoader(loaderOptions(method.input(model), train, given, plan, hyper.step, capture.view ?? undefined))
  const { tokenizer, tower } = config
  const target = await findTarget(tokenizer ? { tokenizer: tokenizer.path } : tower && { latents: tower.path })
  await using targets = await target?.open(addon, device as DeviceName)

  const native = await createNativeModel(model, { method: train.method, device: device as DeviceName, seed: train.seed })
  await using network = native.handle
  await restoreTensors(join(path, modelFile), addon.modelTensors(network.get()), (names, tensors) =>
    addon.modelWrite(network.get(), names, tensors),
  )
  const { precision, beta1, beta2, eps } = train
  if (precision === 'auto') throw new CaeError('ERR_CAE_CHECKPOINT', { what: 'the captured run has no precision', where: path })
  await using trainer = new NativeHandle(addon, await addon.createTrainer(network.get(), { precision, beta1, beta2, eps }), 'trainer')

  const parts = (await stepBatches(loader, plan.parts).next()).value ?? []
  const batches: BatchHandle[] = parts.map(({ handle }) => handle)
  try {
    assertSameSamples(capture, parts, path)
    if (targets) for (const { handle } of parts) batches.push(await targets.complete(handle))
    const findings = await addon.examineStep(trainer.get(), batches.slice(-parts.length), hyper)
    return judge(capture, findings)
  } finally {
    await Promise.all(batches.map((batch) => addon.dispose(batch)))
  }
}

function judge(capture: StepCapture, findings: StepFindings): Replay {
  const [recorded, replayed] = [valuesOf(capture), findings.values]
  const failed = (tensors: readonly TensorFinding[]) => tensors.filter(({ nonFinite }) => nonFinite > 0)
  return {
    step: capture.step,
    reproduced: Object.entries(recorded).every(([name, value]) => Object.is(value, replayed[name])),
    recorded,
    replayed,
    samples: capture.parts.flatMap(({ samples }) => samples),
    nonFinite: { weights: failed(findings.weights), activations: failed(findings.activations), gradients: failed(findings.gradients) },
    findings,
  }
}

function optionMissing(): CaeError {
  return new CaeError('ERR_CAE_OPTION', {
    what: 'the run was given its images as an object: they cannot be found again',
    todo: 'replay(path, { data })',
  })
}

function assertSameData({ config }: StepCapture, found: { images: number; names: string }, source: DataInput): void {
  const { images, names } = config.data
  if (found.images === images && found.names === names) return
  throw new CaeError('ERR_CAE_DATA', {
    what: `these are not the images of the run: ${found.images === images ? 'their names differ' : `it had ${images}, here are ${found.images}`}`,
    ...(typeof source === 'string' ? { where: source } : {}),
    todo: 'give the images as they were, at another path with `data`',
  })
}

/** An image that was good then and is bad now, or the other way round, changes who is in the batch. */
function assertSameSamples(capture: StepCapture, parts: readonly StepPart[], path: string): void {
  const recorded = capture.parts.flatMap(({ samples }) => samples)
  const found = parts.flatMap(({ indices }) => indices)
  const place = recorded.findIndex(({ index }, at) => index !== found[at])
  if (place < 0 && recorded.length === found.length) return
  throw new CaeError('ERR_CAE_DATA', {
    what: `the batch comes out with other images: ${recorded[place]?.name ?? `${recorded.length} of them`} was in it`,
    where: path,
    todo: 'restore the images as they were when the step was captured',
  })
}
