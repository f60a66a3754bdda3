import type { Input } from '../config/field.js'
import { optionError, resolveFields, unknownName } from '../config/resolve.js'
import { type DataInput, openData } from '../data/sources/registry.js'
import { encoderFeatures, type FeatureExtractor } from '../eval/extractor.js'
import { type EvalFields, type EvalResultOf, type EvalTaskName, type EvalTasks, evalTasks } from '../eval/registry.js'
import type { EvalContext, EvalProgress } from '../eval/task.js'
import type { Encoder } from './encoder.js'
import { encoderOf } from './native-model.js'

/** What every evaluation takes besides its own options. */
export interface EvaluateData {
  /** Labelled images to learn from: the bank of `knn`, the training set of a probe. A folder with one sub-folder a class, or a data set. */
  readonly train: DataInput
  /** Labelled images to measure on, of the same classes. */
  readonly test: DataInput
  /** Ends the evaluation; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Hears how far it has come. */
  readonly onProgress?: ((progress: EvalProgress) => void) | undefined
}

/** Options of the evaluation `Name`. */
export type EvaluateOptions<Name extends EvalTaskName = EvalTaskName> = EvaluateData & Input<EvalFields<Name>>

const dataNames = ['train', 'test', 'signal', 'onProgress', 'task']

/**
 * Measures how good an encoder's features are. The encoder is not changed.
 * @param encoder an `Encoder` or a model's `encoder`; `rawPixels(size)` for the floor
 * @returns `accuracy` and `top5` in percent, and what the evaluation has to tell besides
 * @throws {CaeError} ERR_CAE_OPTION for a wrong option; ERR_CAE_DATA when images or classes are missing or too many images are bad;
 *   `signal.reason` on abort
 * @example
 * await using encoder = await Encoder.load('runs/photos')
 * const { accuracy } = await evaluate(encoder, { task: 'knn', train: 'photos/train', test: 'photos/test' })
 */
export async function evaluate<Name extends EvalTaskName>(
  encoder: Encoder | FeatureExtractor,
  options: { readonly task: Name } & EvaluateOptions<Name>,
): Promise<EvalResultOf<Name>> {
  const { task: name, train, test, signal, onProgress, ...own } = options
  if (!Object.hasOwn(evalTasks, name)) throw unknownName('task', String(name), Object.keys(evalTasks))
  const tasks: EvalTasks = evalTasks
  const task = tasks[name]
  const { values } = resolveFields(task.fields, [{ values: own }], { otherNames: dataNames })
  const context: EvalContext = {
    extractor: isExtractor(encoder) ? encoder : encoderFeatures(encoderOf(encoder)),
    train: await open('train', train, signal),
    test: await open('test', test, signal),
    signal,
    onProgress,
  }
  return task.run(context, values)
}

/** `evaluate` with `task: 'knn'`: how often the nearest training images, weighted, name the right class. */
export function knn(encoder: Encoder | FeatureExtractor, options: EvaluateOptions<'knn'>): Promise<EvalResultOf<'knn'>> {
  return evaluate(encoder, { ...options, task: 'knn' })
}

/** `evaluate` with `task: 'linear'`: how often a linear classifier, trained on the frozen features, names the right class. */
export function linearProbe(encoder: Encoder | FeatureExtractor, options: EvaluateOptions<'linear'>): Promise<EvalResultOf<'linear'>> {
  return evaluate(encoder, { ...options, task: 'linear' })
}

function isExtractor(encoder: Encoder | FeatureExtractor): encoder is FeatureExtractor {
  return typeof encoder === 'object' && encoder !== null && 'extract' in encoder
}

async function open(name: 'train' | 'test', data: DataInput | undefined, signal: AbortSignal | undefined) {
  if (data === undefined)
    throw optionError({ what: `${name} is missing`, todo: `${name}: a folder with one sub-folder a class, or a data set` })
  return openData(data, signal ? { signal } : {})
}
