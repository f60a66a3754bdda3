import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CaeError } from '../errors.js'
import { openSafetensors, type SafetensorsFile } from '../io/safetensors.js'
import type { MethodName } from '../methods/registry.js'
import type { ModelConfig } from '../methods/resolve.js'
import { modelFile, verifyCheckpoint } from '../train/checkpoint.js'
import { Encoder } from './encoder.js'
import { ContextAutoencoder } from './model.js'
import { findWeights, modelOfFile } from './weights.js'

/** What a file can be used for, in the words of the command line. */
export type Use = 'embed' | 'eval' | 'reconstruct' | 'init-from' | 'resume'

/** What a run, a checkpoint folder or a weights file holds. */
export interface Inspection {
  /** The weights' file. */
  readonly path: string
  /** A whole run, one checkpoint, or weights alone. */
  readonly origin: 'run' | 'checkpoint' | 'weights'
  readonly method: MethodName
  readonly config: ModelConfig
  /** Optimizer steps behind the weights; null where the file does not say. */
  readonly step: number | null
  readonly tensors: number
  /** Numbers in all tensors. */
  readonly parameters: number
  readonly bytes: number
  readonly uses: readonly Use[]
}

/**
 * Says what is at a path, after reading all of it: checksums of a checkpoint, every tensor's name and shape, and that every weight is finite.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when it cannot be used, saying why; ERR_CAE_NO_LIBTORCH where models cannot be made
 */
export async function inspect(path: string): Promise<Inspection> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw refusal('there is nothing at this path', path)
  const file = await realpath(await findWeights(path))
  const folder = dirname(file)
  const isCheckpoint = basename(file) === modelFile && (await exists(join(folder, 'manifest.json')))
  const checkpoint = isCheckpoint ? await verifyCheckpoint(folder) : undefined
  await using weights = await openSafetensors(file)
  const { method, config } = modelOfFile(weights)
  const parameters = await countFinite(weights)
  const isWhole = await loads(file, weights)
  const isRun = checkpoint !== undefined && (await exists(join(folder, '..', '..', 'config.json')))
  return {
    path: file,
    origin: !checkpoint ? 'weights' : found.isDirectory() && isRun && (await realpath(path)) !== folder ? 'run' : 'checkpoint',
    method,
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

/** Whether all of the model is there; an encoder alone is enough for some uses. */
async function loads(file: string, weights: SafetensorsFile): Promise<boolean> {
  const isEncoder = [...weights.tensors.keys()].every((name) => name.startsWith('encoder.'))
  const loaded = await (isEncoder ? Encoder : ContextAutoencoder).load(file, { device: 'cpu' })
  await loaded.dispose()
  return !isEncoder
}

async function countFinite(weights: SafetensorsFile): Promise<number> {
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
  return new CaeError('ERR_CAE_CHECKPOINT', { what, where, todo: 'a folder of a run or a checkpoint, or a .safetensors file' })
}
