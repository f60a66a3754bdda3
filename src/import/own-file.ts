import { type VitConfig, vitFields } from '../config/architecture.js'
import { resolveFields } from '../config/resolve.js'
import { CaeError } from '../errors.js'
import type { TensorFile } from '../io/tensor-file.js'
import { findMethod } from '../methods/registry.js'
import { encoderConfig, resolveModel } from '../methods/resolve.js'
import { timmLayout } from './layouts/timm.js'
import { imagenet, type Origin } from './origin.js'

/** The word for an encoder alone, where a model's file has the name of its method. */
export const encoderAlone = 'encoder'

/** Name of CLIP's projection in a file of an encoder alone, outputs first. */
export const projectionName = 'projection.weight'

/** A file that this package wrote: what it says about the encoder in it. */
export interface OwnFile {
  readonly origin: Origin
  readonly config: VitConfig
}

/** The head of a file of an encoder alone: what loads it again. */
export function encoderMetadata(config: VitConfig, origin: Origin): Record<string, string> {
  return { method: encoderAlone, config: JSON.stringify(config), ...originMetadata(origin) }
}

/** Where weights come from, for the head of a file. */
export function originMetadata({ origin, method, title, positions }: Origin): Record<string, string> {
  return { origin: JSON.stringify({ origin, method, title, positions }) }
}

/** `__metadata__` of a safetensors file; empty for other formats. */
export function metadataOf(file: TensorFile): Readonly<Record<string, string>> {
  return 'metadata' in file ? (file.metadata as Readonly<Record<string, string>>) : {}
}

/**
 * What a file of this package says; undefined for any other file.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when it describes a model that cannot be made here
 */
export function readOwnFile(file: TensorFile): OwnFile | undefined {
  const { method = 'cae', config, origin } = metadataOf(file)
  if (config === undefined) return undefined
  try {
    const values = JSON.parse(config)
    if (method === encoderAlone) {
      const said: Partial<Origin> = { ...JSON.parse(origin ?? '{}'), origin: own.origin }
      return { origin: { ...own, ...said }, config: resolveFields(vitFields, [{ values }]).values }
    }
    const { name } = findMethod(method)
    return { origin: { ...own, title: `${name}, whole model` }, config: encoderConfig(resolveModel(values, name), name) }
  } catch (cause) {
    throw new CaeError('ERR_CAE_CHECKPOINT', { what: 'the file describes a model that cannot be made here', where: file.path }, { cause })
  }
}

const own: Origin = {
  origin: 'cae-torch',
  method: 'cae',
  title: 'encoder',
  has: [],
  prefixes: ['encoder.'],
  layout: timmLayout,
  projection: { name: projectionName, isTransposed: false },
  unused: /^(?!encoder\.)/,
  positions: 'recomputed',
  colours: imagenet,
  layerNormEps: 1e-6,
  activation: 'gelu',
}
