import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { VitConfig } from '../config/architecture.js'
import { type ImportInput, importFields } from '../config/import.js'
import { resolveFields } from '../config/resolve.js'
import { CaeError } from '../errors.js'
import { caeNamingOf } from '../import/cae-names.js'
import type { EncoderFile } from '../import/encoder-file.js'
import { openEncoderFile } from '../import/open-encoder.js'
import type { ForeignMethod, OriginName } from '../import/origin.js'
import { encoderAlone, metadataOf } from '../import/own-file.js'
import { unwrap } from '../import/unwrap.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import type { MethodName } from '../methods/registry.js'
import type { ModelConfig } from '../methods/resolve.js'
import { modelFile, verifyCheckpoint } from '../train/checkpoint.js'
import { Encoder } from './encoder.js'
import { assertFinite } from './import.js'
import { ContextAutoencoder } from './model.js'
import { findWeights, modelOfFile } from './weights.js'

/** What a file can be used for, in the words of the command line. */
export type Use = 'embed' | 'eval' | 'import' | 'reconstruct' | 'init-from' | 'resume'

/** What a run, a checkpoint folder or a file of weights holds. */
export interface Inspection {
  /** The weights' file. */
  readonly path: string
  /** A whole run, one checkpoint, or weights alone; for weights of others who wrote them. */
  readonly origin: 'run' | 'checkpoint' | 'weights' | Exclude<OriginName, 'cae-torch'>
  readonly method: MethodName | ForeignMethod
  /** What people call it. */
  readonly title: string
  /** Of the whole model, or of the encoder where that is all there is. */
  readonly config: ModelConfig | VitConfig
  /** Optimizer steps behind the weights; null where the file does not say. */
  readonly step: number | null
  readonly tensors: number
  /** Numbers in all tensors; in those of the encoder where that is all that can be used. */
  readonly parameters: number
  readonly bytes: number
  readonly uses: readonly Use[]
}

/**
 * Says what is at a path, after reading all of it: checksums of a checkpoint, every tensor's name and shape, and that every weight is finite.
 * @param given what must be said about weights of others: `numHeads`, `imageSize`
 * @throws {CaeError} ERR_CAE_CHECKPOINT when it cannot be used, saying why; ERR_CAE_OPTION when an option must be given; ERR_CAE_NO_LIBTORCH
 *   where models cannot be made
 */
export async function inspect(path: string, given: ImportInput = {}): Promise<Inspection> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw refusal('there is nothing at this path', path)
  const file = await realpath(await findWeights(path))
  const folder = dirname(file)
  const isCheckpoint = basename(file) === modelFile && (await exists(join(folder, 'manifest.json')))
  const checkpoint = isCheckpoint ? await verifyCheckpoint(folder) : undefined
  await using weights = await openTensorFile(file)
  const { method: kind, config: described } = metadataOf(weights)
  if (described === undefined || kind === encoderAlone) return await inspectEncoder(file, weights, given)

  const { method, config } = modelOfFile(weights)
  const parameters = await countFinite(weights)
  const isWhole = await loads(file, weights)
  const isRun = checkpoint !== undefined && (await exists(join(folder, '..', '..', 'config.json')))
  return {
    path: file,
    origin: !checkpoint ? 'weights' : found.isDirectory() && isRun && (await realpath(path)) !== folder ? 'run' : 'checkpoint',
    method,
    title: isWhole ? `${method}, whole model` : `${method}, encoder`,
    config,
    step: checkpoint?.step ?? null,
    tensors: weights.tensors.size,
    parameters,
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
async function inspectEncoder(path: string, weights: TensorFile, given: ImportInput): Promise<Inspection> {
  const options = resolveFields(importFields, [{ values: given }]).values
  await using file: EncoderFile = await openEncoderFile(path, options)
  const { origin, method, title } = file.origin
  const isOwn = origin === 'cae-torch'
  const isWhole = !isOwn && caeNamingOf(unwrap(weights.tensors.keys()).names.keys()) !== undefined
  return {
    path,
    origin: isOwn ? 'weights' : origin,
    method,
    title,
    config: file.config,
    step: null,
    tensors: weights.tensors.size,
    parameters: await assertFinite(file),
    bytes: (await stat(path)).size,
    uses: ['embed', 'eval', ...(isOwn ? [] : (['import'] as const)), ...(isWhole ? (['init-from'] as const) : [])],
  }
}

/** Whether all of the model is there; an encoder alone is enough for some uses. */
async function loads(file: string, weights: TensorFile): Promise<boolean> {
  const isEncoder = [...weights.tensors.keys()].every((name) => name.startsWith('encoder.'))
  const loaded = await (isEncoder ? Encoder : ContextAutoencoder).load(file, { device: 'cpu' })
  await loaded.dispose()
  return !isEncoder
}

async function countFinite(weights: TensorFile): Promise<number> {
  let count = 0
  for (const name of weights.tensors.keys()) {
    const { data } = await weights.readFloat32(name)
    if (!data.every(Number.isFinite)) throw refusal(`${name} has values that are not finite`, weights.path)
    count += data.length
  }
  return count
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
