import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { VitConfig } from '../config/architecture.js'
import { type ImportInput, importFields } from '../config/import.js'
import { resolveFields } from '../config/resolve.js'
import { CaeError } from '../errors.js'
import { caeNamingOf } from '../import/cae-names.js'
import type { EncoderFile } from '../import/encoder-file.js'
import type { TokenizerOrigin } from '../import/foreign-tokenizer.js'
import { openEncoderFile } from '../import/open-encoder.js'
import type { ForeignMethod, OriginName } from '../import/origin.js'
import { encoderAlone, metadataOf } from '../import/own-file.js'
import { unwrap } from '../import/unwrap.js'
import { FiniteWatch } from '../io/finite-watch.js'
import { elementCount } from '../io/safetensors-header.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import { declarationOf, type MethodName, type TokenizerMethodName } from '../methods/registry.js'
import type { ModelConfig, TokenizerConfig } from '../methods/resolve.js'
import { modelFile, verifyCheckpoint } from '../train/checkpoint.js'
import { createNativeModel, type NativeModel } from './native-model.js'
import { createNativeTokenizer, openTokenizer, type TokenizerSource } from './tokenizer-source.js'
import { findWeights, loadSource, modelOfFile, sourceOf, type WeightSource } from './weights.js'

/** What a file can be used for, in the words of the command line; `tokenizer` is what `--tokenizer` and `target: { tokenizer }` take. */
export type Use = 'embed' | 'eval' | 'import' | 'reconstruct' | 'tokenizer' | 'init-from' | 'resume'

/** What every file of weights has. */
interface Facts {
  /** The weights' file. */
  readonly path: string
  /** What people call it. */
  readonly title: string
  /** Optimizer steps behind the weights; null where the file does not say. */
  readonly step: number | null
  readonly tensors: number
  /** Numbers in all tensors; in those of the encoder where that is all that can be used. */
  readonly parameters: number
  readonly bytes: number
  readonly uses: readonly Use[]
  /** What should be known of the values: infinite ones, and those that are no numbers. */
  readonly warnings: readonly string[]
}

/** A whole run, one checkpoint, or weights alone. */
type OwnOrigin = 'run' | 'checkpoint' | 'weights'

/** An encoder, or a model that has one. */
export interface ModelInspection extends Facts {
  readonly kind: 'model'
  /** For weights of others who wrote them. */
  readonly origin: OwnOrigin | Exclude<OriginName, 'cae-torch'>
  readonly method: MethodName | ForeignMethod
  /** Of the whole model, or of the encoder where that is all there is. */
  readonly config: ModelConfig | VitConfig
}

/** What makes token ids of images. */
export interface TokenizerInspection extends Facts {
  readonly kind: 'tokenizer'
  readonly origin: OwnOrigin | TokenizerOrigin
  readonly method: TokenizerMethodName
  readonly config: TokenizerConfig
  /** Codes in the codebook. */
  readonly vocabSize: number
  /** Pixels of an image's side that one id stands for. */
  readonly downsampling: number
  /** Whether it can make images of ids. */
  readonly hasDecoder: boolean
}

/** What a run, a checkpoint folder or a file of weights holds. */
export type Inspection = ModelInspection | TokenizerInspection

/**
 * Says what is at a path, after reading all of it: checksums of a checkpoint, every tensor's name and shape, and whether every weight is finite.
 * @param given what must be said about weights of others: `numHeads`, `imageSize`
 * @throws {CaeError} ERR_CAE_CHECKPOINT when it cannot be used, saying why; ERR_CAE_OPTION when an option must be given; ERR_CAE_NO_LIBTORCH
 *   where models cannot be made
 */
export async function inspect(path: string, given: ImportInput = {}): Promise<Inspection> {
  if (!(await exists(path))) throw refusal('there is nothing at this path', path)
  const place = await placeOf(path)
  await using tokenizer = await openTokenizer(path)
  if (tokenizer) return await inspectTokenizer(tokenizer, place)
  await using weights = await openTensorFile(place.file)
  const { method, config } = metadataOf(weights)
  if (config === undefined || method === encoderAlone) return await inspectEncoder(place.file, weights, given)
  return await inspectModel(weights, place)
}

/** Where weights lie among the files of a run. */
interface Place {
  readonly file: string
  readonly origin: OwnOrigin
  /** Whether a run can go on from here. */
  readonly isRun: boolean
  readonly step: number | null
}

/** @throws {CaeError} ERR_CAE_CHECKPOINT for a damaged checkpoint */
async function placeOf(path: string): Promise<Place> {
  const file = await realpath(await findWeights(path))
  const folder = dirname(file)
  const isCheckpoint = basename(file) === modelFile && (await exists(join(folder, 'manifest.json')))
  if (!isCheckpoint) return { file, origin: 'weights', isRun: false, step: null }
  const { step } = await verifyCheckpoint(folder)
  const isRun = await exists(join(folder, '..', '..', 'config.json'))
  const isWhole = isRun && (await stat(path)).isDirectory() && (await realpath(path)) !== folder
  return { file, origin: isWhole ? 'run' : 'checkpoint', isRun, step }
}

async function inspectModel(weights: TensorFile, { file, origin, isRun, step }: Place): Promise<ModelInspection> {
  const { method, config } = modelOfFile(weights)
  const isWhole = ![...weights.tensors.keys()].every((name) => name.startsWith('encoder.')) // an encoder is enough for some uses
  const values = isWhole
    ? await tryOut(await createNativeModel(config, { method, device: 'cpu', seed: 0 }), sourceOf(weights))
    : await scanEncoder(file)
  return {
    kind: 'model',
    path: file,
    origin,
    method,
    title: isWhole ? `${method}, whole model` : `${method}, encoder`,
    config,
    step,
    tensors: weights.tensors.size,
    ...values,
    bytes: (await stat(file)).size,
    uses: [
      'embed',
      'eval',
      ...(isWhole && config.target === 'pixels' && !config.normalizeTarget ? (['reconstruct'] as const) : []),
      ...(isWhole ? (['init-from'] as const) : []),
      ...(isRun ? (['resume'] as const) : []),
    ],
  }
}

/** An encoder by itself, or weights of others. */
async function inspectEncoder(path: string, weights: TensorFile, given: ImportInput): Promise<ModelInspection> {
  const options = resolveFields(importFields, [{ values: given }]).values
  await using file: EncoderFile = await openEncoderFile(path, options)
  const { origin, method, title } = file.origin
  const isOwn = origin === 'cae-torch'
  const isWhole = !isOwn && caeNamingOf(unwrap(weights.tensors.keys()).names.keys()) !== undefined
  return {
    kind: 'model',
    path,
    origin: isOwn ? 'weights' : origin,
    method,
    title,
    config: file.config,
    step: null,
    tensors: weights.tensors.size,
    ...(await scan(file)),
    bytes: (await stat(path)).size,
    uses: ['embed', 'eval', ...(isOwn ? [] : (['import'] as const)), ...(isWhole ? (['init-from'] as const) : [])],
  }
}

async function inspectTokenizer(source: TokenizerSource, { origin: place, isRun, step }: Place): Promise<TokenizerInspection> {
  const { path, origin, title, method, config, hasDecoder, weights, files } = source
  const isOwn = origin === 'cae-torch'
  let bytes = 0
  for (const file of files) bytes += (await stat(file.path)).size
  return {
    kind: 'tokenizer',
    path,
    origin: isOwn ? place : origin,
    method,
    title,
    config,
    vocabSize: config.vocabSize,
    downsampling: declarationOf(method).downsampling?.(config) ?? 1,
    hasDecoder,
    step,
    tensors: weights.shapes.size,
    ...(await tryOut(await createNativeTokenizer(source, 'cpu'), weights)),
    bytes,
    uses: [
      'tokenizer',
      ...(hasDecoder ? (['reconstruct'] as const) : []),
      ...(isOwn && hasDecoder ? (['init-from'] as const) : []),
      ...(isRun ? (['resume'] as const) : []),
    ],
  }
}

async function scanEncoder(path: string): Promise<Pick<Facts, 'parameters' | 'warnings'>> {
  await using file = await openEncoderFile(path, resolveFields(importFields, []).values)
  return await scan(file)
}

/** Reads all tensors, counts their numbers and looks for those that are not finite. */
async function scan(file: EncoderFile): Promise<Pick<Facts, 'parameters' | 'warnings'>> {
  const watch = new FiniteWatch()
  let parameters = 0
  for (const matched of file.report.matched) {
    const { data } = await file.read(matched)
    watch.note(matched.from.join(', '), data)
    parameters += data.length
  }
  return { parameters, warnings: watch.warnings }
}

/** Loads all of a model into one that was made for it, as `load` would. */
async function tryOut(model: NativeModel<unknown>, weights: WeightSource): Promise<Pick<Facts, 'parameters' | 'warnings'>> {
  const { warnings } = await loadSource(weights, model).finally(() => model.handle.dispose())
  return { parameters: [...weights.shapes.values()].reduce((sum, shape) => sum + elementCount(shape), 0), warnings }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

function refusal(what: string, where: string): CaeError {
  return new CaeError('ERR_CAE_CHECKPOINT', {
    what,
    where,
    todo: 'a folder of a run, of a checkpoint or of Hugging Face, or a file of weights',
  })
}
