import { stat } from 'node:fs/promises'
import { join } from 'node:path'

import { unknownName } from '../config/resolve.js'
import { CaeError } from '../errors.js'
import { caeNamingOf, fromCaeNaming } from '../import/cae-names.js'
import { enumerate } from '../import/key-report.js'
import { encoderAlone, metadataOf } from '../import/own-file.js'
import { unwrap } from '../import/unwrap.js'
import { writeSafetensors } from '../io/safetensors.js'
import { tensorEntries } from '../io/tensor-entries.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import type { CAEConfigInput } from '../methods/cae.js'
import { findMethod, type MethodName, type TokenizerMethodName, tokenizers } from '../methods/registry.js'
import { type ModelConfig, resolveModel, resolveTokenizer, type TokenizerConfig } from '../methods/resolve.js'
import type { F32Tensor, FileValues, TensorInfo } from '../native/types.js'
import { assertWhole, type NativeModel } from './native-model.js'
import { type WeightMove, writeWeights } from './write-weights.js'

/** What became of every tensor of a file. */
export interface LoadReport {
  /** Tensors that now have the file's values. */
  readonly loaded: readonly string[]
  /** Tensors of the model that the file does not have; they keep their values. */
  readonly missing: readonly string[]
  /** Tensors of the file that the model does not have. */
  readonly unused: readonly string[]
  /** What should be known of the values: infinite ones, and those that are no numbers. */
  readonly warnings: readonly string[]
}

/** How weights are loaded. */
export interface LoadWeightsOptions {
  /** `false` takes what fits by name and leaves the rest: see the report. A tensor of the wrong shape is always an error. Default true. */
  readonly strict?: boolean
}

/** Weights by the names of a checkpoint. */
export type NamedTensors = Readonly<Record<string, F32Tensor>>

/** A place that weights come from, one tensor at a time. */
export interface WeightSource {
  /** For messages. */
  readonly path: string | undefined
  readonly shapes: ReadonlyMap<string, readonly number[]>
  /** Where the values lie in a file as they are; undefined, as for those in memory: they must be read here. */
  locate?(name: string): Promise<FileValues | undefined>
  read(name: string): Promise<F32Tensor> | F32Tensor
}

/**
 * Text for the head of a weights file: what `load` needs to make the model again.
 */
export function weightsMetadata({ method, config }: Pick<NativeModel<unknown>, 'method' | 'config'>): Record<string, string> {
  return { method: method.name, config: JSON.stringify(config) }
}

/** Writes every tensor of a model, in one step: the file is there whole or not at all. */
export async function saveWeights(path: string, model: NativeModel, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
  const { addon, handle } = model
  const entries = tensorEntries(addon.modelTensors(handle.get()), (names) => addon.modelRead(handle.get(), names))
  await writeSafetensors(path, entries, { ...weightsMetadata(model), ...metadata })
}

/** Names of weights in a folder: ours first, then those of Hugging Face, then those of DALL-E's tokenizer. */
const weightNames = [
  'model.safetensors',
  'latest/model.safetensors',
  'checkpoints/latest/model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'encoder.pkl',
  'decoder.pkl',
]

/**
 * Where the weights are: the file itself, the newest ones of a checkpoint folder or a run, or those of a folder of Hugging Face.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there are none
 */
export async function findWeights(path: string): Promise<string> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!isFolder) return path // whether it is there shows when it is opened
  for (const inside of weightNames) {
    const file = join(path, inside)
    if (await stat(file).catch(() => undefined)) return file
  }
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: 'there are no weights in this folder',
    where: path,
    todo: 'a folder of a run, of a checkpoint or of Hugging Face, or a file of weights',
  })
}

/**
 * Method and configuration of the model that wrote a weights file.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when the file does not say, or says what is not possible
 */
export function modelOfFile(file: TensorFile): { method: MethodName; config: ModelConfig } {
  return described(file, (config, method) => {
    const { name } = findMethod(method)
    return { method: name, config: resolveModel(config as CAEConfigInput, name) }
  })
}

/**
 * Method and configuration of the tokenizer that wrote a weights file.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when the file does not say, or is none of a tokenizer
 */
export function tokenizerOfFile(file: TensorFile): { method: TokenizerMethodName; config: TokenizerConfig } {
  return described(file, (config, method) => {
    if (!Object.hasOwn(tokenizers, method)) throw unknownName('tokenizer', method, Object.keys(tokenizers))
    return resolveTokenizer(config as TokenizerConfig, method as TokenizerMethodName)
  })
}

/** What the head of a weights file says, as `resolve` takes it. */
function described<T>(file: TensorFile, resolve: (config: unknown, method: string) => T): T {
  const { method = 'cae', config } = metadataOf(file)
  if (config === undefined) {
    throw new CaeError('ERR_CAE_CHECKPOINT', {
      what: 'the file does not say which model its weights belong to',
      where: file.path,
      todo: 'ContextAutoencoder.create(config), then loadWeights(path); or `cae-torch import` first; Encoder.load for an encoder alone',
    })
  }
  if (method === encoderAlone) {
    throw new CaeError('ERR_CAE_CHECKPOINT', {
      what: 'the file holds an encoder alone, not a whole model',
      where: file.path,
      todo: 'Encoder.load',
    })
  }
  try {
    return resolve(JSON.parse(config), method)
  } catch (cause) {
    throw new CaeError('ERR_CAE_CHECKPOINT', { what: 'the file describes a model that cannot be made here', where: file.path }, { cause })
  }
}

/** Loads weights of a file into `model`; of a whole Context Autoencoder under any of the names that others give its tensors. */
export async function loadWeightsFile(path: string, model: NativeModel<unknown>, options: LoadWeightsOptions = {}): Promise<LoadReport> {
  await using file = await openTensorFile(await findWeights(path))
  return await loadSource(sourceOf(file), model, options)
}

/** The tensors of a file by our names. What others derive from other tensors is left out; what is not known keeps its name. */
export function sourceOf(file: TensorFile): WeightSource {
  const isOwn = metadataOf(file).config !== undefined
  const { names } = isOwn ? { names: new Map([...file.tensors.keys()].map((name) => [name, name])) } : unwrap(file.tensors.keys())
  const naming = isOwn ? undefined : caeNamingOf(names.keys())
  const translate = naming === undefined ? (name: string) => name : fromCaeNaming(naming)
  const originals = new Map<string, string>()
  for (const [name, original] of names) {
    const ours = translate(name)
    if (ours !== null) originals.set(ours ?? name, original)
  }
  const shapes = new Map([...originals].map(([ours, original]) => [ours, file.tensors.get(original)?.shape ?? []]))
  const originalOf = (name: string) => originals.get(name) ?? name
  return {
    path: file.path,
    shapes,
    locate: (name) => file.locate(originalOf(name)),
    read: (name) => file.readFloat32(originalOf(name)),
  }
}

/** Loads weights from a path, or from memory. */
export function loadWeights(
  weights: string | NamedTensors,
  model: NativeModel<unknown>,
  options: LoadWeightsOptions = {},
): Promise<LoadReport> {
  return typeof weights === 'string' ? loadWeightsFile(weights, model, options) : loadWeightsTensors(weights, model, options)
}

/**
 * Fills a model that was made for it; where that fails, the model is gone. What should be known of the values becomes a warning of the process.
 * @param load gives the weights
 */
export async function filled<Config>(
  model: NativeModel<Config>,
  path: string,
  load: (model: NativeModel<Config>) => Promise<LoadReport>,
): Promise<NativeModel<Config>> {
  try {
    const { warnings } = await load(model)
    tellWarnings(warnings, path)
    return model
  } catch (error) {
    await model.handle.dispose()
    throw error
  }
}

/** Says what should be known of loaded weights where no report can: as a warning of the process, `CAE_WEIGHTS`. */
export function tellWarnings(warnings: readonly string[], path: string): void {
  for (const text of warnings) process.emitWarning(`${path}: ${text}`, { type: 'CaeWarning', code: 'CAE_WEIGHTS' })
}

/** Every tensor of a model that has weights. */
export function tensorsOf({ addon, handle, lacking }: NativeModel<unknown>): readonly TensorInfo[] {
  const all = addon.modelTensors(handle.get())
  return lacking ? all.filter(({ name }) => !lacking.has(name)) : all
}

/**
 * Copies of weights by name; all of them unless names are given.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when the model has no tensor of a name
 */
export async function readWeights(model: NativeModel<unknown>, names?: readonly string[]): Promise<Record<string, F32Tensor>> {
  const wanted = names ?? tensorsOf(model).map(({ name }) => name)
  if (wanted.some((name) => model.lacking?.has(name))) assertWhole(model)
  const tensors = await model.addon.modelRead(model.handle.get(), wanted)
  return Object.fromEntries(tensors.map((tensor, i) => [wanted[i] ?? '', tensor]))
}

/** Loads weights that are in memory. */
function loadWeightsTensors(tensors: NamedTensors, model: NativeModel<unknown>, options: LoadWeightsOptions): Promise<LoadReport> {
  const known = new Map(Object.entries(tensors))
  const read = (name: string) => known.get(name) as F32Tensor // only asked for names of `shapes`
  return loadSource({ path: undefined, shapes: new Map([...known].map(([name, { shape }]) => [name, shape])), read }, model, options)
}

/**
 * Loads weights of any source; all is checked before anything is changed.
 * @throws {CaeError} ERR_CAE_CHECKPOINT naming the tensors that are missing, unknown or of another shape
 */
export async function loadSource(
  source: WeightSource,
  model: NativeModel<unknown>,
  { strict = true }: LoadWeightsOptions = {},
): Promise<LoadReport> {
  const { addon, handle, method, lacking } = model
  const infos = addon.modelTensors(handle.get())
  const plan = planLoading(source, infos, method.follows)
  const known = new Set(infos.map(({ name }) => name))
  const unused = [...source.shapes.keys()].filter((name) => !known.has(name))
  const needed = infos.filter(({ name }) => strict && !lacking?.has(name))
  assertLoadable(source, { infos, needed, plan, unused: strict ? unused : [] })
  const moves = [...plan].map(
    ([name, from]): WeightMove => ({
      name,
      shape: source.shapes.get(from) ?? [],
      locate: async () => source.locate?.(from),
      read: () => source.read(from),
    }),
  )
  const warnings = await writeWeights({ addon, handle }, moves)
  for (const name of plan.keys()) lacking?.delete(name)
  const missing = infos.filter(({ name }) => !plan.has(name)).map(({ name }) => name)
  return { loaded: [...plan.keys()], missing, unused, warnings }
}

/** Which tensor of the source goes into which of the model. A tensor that follows another starts as that one where the source lacks it. */
function planLoading(source: WeightSource, infos: readonly TensorInfo[], follows: Follows | undefined): Map<string, string> {
  const plan = new Map<string, string>()
  for (const { name } of infos) {
    const followed = follows && name.startsWith(follows.prefix) ? follows.of + name.slice(follows.prefix.length) : name
    const from = [name, followed].find((candidate) => source.shapes.has(candidate))
    if (from !== undefined) plan.set(name, from)
  }
  return plan
}

type Follows = { readonly prefix: string; readonly of: string }

/** All problems at once, before anything is written. Constants that the file lacks are no problem: the model made its own. */
function assertLoadable(
  source: WeightSource,
  {
    infos,
    needed,
    plan,
    unused,
  }: {
    readonly infos: readonly TensorInfo[]
    readonly needed: readonly TensorInfo[]
    readonly plan: ReadonlyMap<string, string>
    readonly unused: readonly string[]
  },
): void {
  const missing = needed.filter(({ name, trainable }) => trainable && !plan.has(name)).map(({ name }) => name)
  const misshapen = infos.flatMap(({ name, shape }) => {
    const found = source.shapes.get(plan.get(name) ?? '')
    return found === undefined || found.join() === shape.join()
      ? []
      : [`${name} has the shape [${found.join(', ')}], the model wants [${shape.join(', ')}]`]
  })
  const problems = [
    ...misshapen,
    ...(missing.length > 0 ? [`the model's ${enumerate(missing)} ${missing.length > 1 ? 'are' : 'is'} not there`] : []),
    ...(unused.length > 0 ? [`the model has no ${enumerate(unused)}`] : []),
    ...(plan.size === 0 ? ['not one tensor has a name of the model'] : []),
  ]
  if (problems.length === 0) return
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `the weights do not fit this model: ${problems.join('; ')}`,
    where: source.path,
    todo:
      misshapen.length > 0
        ? 'create the model with the configuration of these weights'
        : 'loadWeights(weights, { strict: false }) takes what fits',
  })
}
