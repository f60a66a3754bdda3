import { join } from 'node:path'

import type { DeviceName } from '../config/train.js'
import type { BadImage } from '../data/bad-images.js'
import type { Dataset } from '../data/dataset.js'
import type { LoaderOptions } from '../data/loader.js'
import { holdOut } from '../data/order.js'
import { CaeError } from '../errors.js'
import { assertNoWriter, inspectRunFolder } from '../io/run-folder.js'
import type { ModelInput } from '../methods/method.js'
import type { Resolved } from '../methods/resolve.js'
import type { TargetView } from '../methods/target.js'
import { modelFile } from '../train/checkpoint.js'
import type { RunPlan } from '../train/plan.js'
import { findResumePoint, type ResumePoint } from '../train/resume.js'
import { parseRunConfig, type RunConfig } from '../train/run-config.js'
import { restoreTensors } from '../train/tensor-files.js'
import { createNativeModel, type NativeModel } from './native-model.js'
import { assertNotRunState, assertNoWeightsAlone } from './resume-or-init.js'
import { loadWeightsFile } from './weights.js'

/** The run that is in the folder already, and where to go on; nothing where there is none, or none that got to a checkpoint. */
export interface EarlierRun {
  readonly config: RunConfig
  readonly point: ResumePoint
  /** Path of its `config.json`. */
  readonly path: string
}

/**
 * Looks into `out`, touching nothing.
 * @throws {CaeError} ERR_CAE_OPTION when another run is there and `resume` is 'never'; ERR_CAE_OUTPUT when it is still going on;
 * ERR_CAE_CHECKPOINT when it is beyond repair, or weights alone are there
 */
export async function findEarlierRun(out: string, resume: 'never' | 'auto', signal?: AbortSignal): Promise<EarlierRun | undefined> {
  if (resume === 'auto') {
    await assertNoWriter(out) // it would change the checkpoints while they are looked at
    await assertNoWeightsAlone(out)
  }
  const found = await inspectRunFolder(out)
  if (found.kind === 'free') return undefined
  if (resume === 'never') {
    throw new CaeError('ERR_CAE_OPTION', {
      what: 'out: another run is in this folder',
      where: out,
      todo: "resume: 'auto' to go on with it, or another `out`",
    })
  }
  const path = join(out, 'config.json')
  const config = parseRunConfig(found.config, path)
  const point = await findResumePoint(join(out, 'checkpoints'), signal)
  return point && { config, point, path }
}

/**
 * The images of a run in two parts: those it trains on, and those it never does.
 * @throws {CaeError} ERR_CAE_OPTION when none are left to train on
 */
export async function splitImages(
  dataset: Dataset,
  holdout: number,
  seed: number,
): Promise<{ training: Uint32Array; heldOut: Uint32Array }> {
  if (holdout < dataset.length) return holdOut(dataset.length, holdout, seed)
  throw new CaeError('ERR_CAE_OPTION', {
    what: `holdout ${holdout} leaves none of the ${dataset.length} images to train on`,
    todo: `set holdout to at most ${dataset.length - 1}, or add images`,
  })
}

/** The model with the weights that the run starts from: a checkpoint's, those of `initFrom`, or fresh ones. */
export async function openModel<Config extends Readonly<Record<string, unknown>>>(
  { model, train }: Resolved<Config>,
  device: string,
  point: ResumePoint | undefined,
): Promise<NativeModel<Config>> {
  const native = await createNativeModel(model, { method: train.method, device: device as DeviceName, seed: train.seed })
  const { addon, handle } = native
  try {
    if (point) {
      await restoreTensors(join(point.checkpoint.path, modelFile), addon.modelTensors(handle.get()), (names, tensors) =>
        addon.modelWrite(handle.get(), names, tensors),
      )
    } else if (train.initFrom !== null) {
      assertNotRunState(train.initFrom)
      await loadWeightsFile(train.initFrom, native)
    }
    return native
  } catch (error) {
    await handle.dispose()
    throw error
  }
}

/** How a run's batches are made. */
export function loaderOptions(
  input: ModelInput,
  train: Resolved['train'],
  given: Pick<LoaderOptions, 'addon' | 'dataset' | 'indices' | 'seen' | 'knownBad' | 'signal'> & { onBad(record: BadImage): void },
  plan: RunPlan,
  doneSteps: number,
  view: TargetView = { size: [0, 0], interpolation: 'bicubic' },
): LoaderOptions {
  const [height, width] = input.imageSize
  const { scaleMin, scaleMax, ratioMin, ratioMax, flip, interpolation } = train
  return {
    ...given,
    collate: {
      height,
      width,
      viewHeight: view.size[0],
      viewWidth: view.size[1],
      viewInterpolation: view.interpolation,
      crop: 'random',
      ...{ scaleMin, scaleMax, ratioMin, ratioMax, flip, interpolation },
      resizeShort: 0, // of centre crops only
      mean: input.mean,
      std: input.std,
      mask: input.mask,
    },
    seed: train.seed,
    batchSize: plan.batchSize / plan.parts,
    batchesPerStep: plan.parts,
    order: 'shuffled',
    dropLast: true,
    epochs: Number.POSITIVE_INFINITY,
    startBatch: doneSteps * plan.parts,
    prefetchBytes: train.prefetchBytes,
    cacheBytes: train.cache,
    readTimeout: train.readTimeout,
    maxBadFraction: train.maxBadFraction,
    alpha: train.alpha,
    exif: train.exif,
    maxPixels: train.maxPixels,
  }
}
