import { type Architecture, type VitConfig, vitFields } from '../config/architecture.js'
import type { ImportConfig } from '../config/import.js'
import { optionError, resolveFields } from '../config/resolve.js'
import { CaeError } from '../errors.js'
import { relativeRows } from './encoder-tensors.js'
import type { Facts } from './facts.js'
import type { Shapes } from './identify.js'
import type { Origin } from './origin.js'
import type { Grid } from './resample/tables.js'

/** What the sizes of an encoder are read from. */
export interface Evidence {
  /** By our names. */
  readonly shapes: Shapes
  readonly origin: Origin
  /** Of the folder's JSON files. */
  readonly facts: Facts
  /** What the user says. */
  readonly given: ImportConfig
  /** The file, for messages. */
  readonly where: string
}

const sharedTable = 'rel_pos_bias.relative_position_bias_table'
const ownTable = 'blocks.0.attn.relative_position_bias_table'

/**
 * Reads sizes and architecture off the shapes (spec/baselines.md 8.1); the result describes the encoder as it lies in the file.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when the shapes are no encoder's; ERR_CAE_OPTION when `imageSize` or `numHeads` must be given
 */
export function measure(evidence: Evidence): VitConfig {
  const { shapes, origin, facts, where } = evidence
  const [dim = 0, channels = 0, patchSize = 0, width = 0] = shapes.get('patch_embed.proj.weight') ?? []
  if (channels !== 3 || patchSize === 0 || patchSize !== width) {
    const shape = shapes.get('patch_embed.proj.weight')?.join(', ') ?? ''
    throw new CaeError('ERR_CAE_CHECKPOINT', {
      what: `the patch projection has the shape [${shape}], wanted are 3 channels and square patches`,
      where,
    })
  }
  const [hidden = 0] = shapes.get('blocks.0.mlp.fc1.weight') ?? []
  const numHeads = headsOf(evidence, dim)
  const [rows, cols] = gridOf(evidence, patchSize)
  const values = {
    imageSize: [rows * patchSize, cols * patchSize],
    patchSize,
    embedDim: dim,
    depth: 1 + Math.max(...[...shapes.keys()].map((name) => Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? -1))),
    numHeads,
    mlpRatio: hidden / dim,
    layerNormEps: facts.layerNormEps ?? origin.layerNormEps,
    layerScaleInit: shapes.has('blocks.0.gamma_1') ? vitFields.layerScaleInit.default : 0,
    dropPath: 0,
    mean: facts.mean ?? origin.colours.mean,
    std: facts.std ?? origin.colours.std,
    positions: positionsOf(evidence),
    ...architectureOf(evidence),
  }
  return resolveFields(vitFields, [{ source: where, values }]).values
}

function positionsOf({ shapes, origin }: Evidence): VitConfig['positions'] {
  if (origin.positions === 'recomputed') return 'reference'
  return shapes.has('pos_embed') ? 'learned' : 'none'
}

function architectureOf(evidence: Evidence): Architecture {
  const { shapes, origin, facts, given } = evidence
  return {
    relativePositions: shapes.has(sharedTable) ? 'shared' : shapes.has(ownTable) ? 'per-block' : 'none',
    keyBias: shapes.has('blocks.0.attn.qkv.bias'),
    activation: given.activation ?? facts.activation ?? origin.activation,
    patchBias: shapes.has('patch_embed.proj.bias'),
    inputNorm: shapes.has('norm_pre.weight'),
    outputNorm: outputNormOf(evidence),
  }
}

/** A file without any norm is incomplete, unless its kind can be without. */
function outputNormOf({ shapes, origin }: Evidence): VitConfig['outputNorm'] {
  if (shapes.has('norm.weight')) return 'tokens'
  if (shapes.has('fc_norm.weight')) return 'mean'
  return origin.mayLackNorm ? 'none' : 'tokens'
}

/** Heads leave no trace in the tensors but in a relative position table. */
function headsOf({ shapes, origin, facts, given }: Evidence, dim: number): number {
  const [, columns] = shapes.get(sharedTable) ?? shapes.get(ownTable) ?? []
  const heads = given.numHeads ?? facts.numHeads ?? columns ?? origin.heads?.[dim] ?? dim / 64
  if (Number.isInteger(heads) && heads > 0 && dim % heads === 0) return heads
  if (given.numHeads === null) {
    throw optionError({
      what: `the number of heads is not known: the file does not tell, and its width ${dim} is no usual one`,
      todo: 'give numHeads',
    })
  }
  throw optionError({ what: `numHeads ${heads} does not divide the width ${dim} of this encoder`, todo: `numHeads: a divisor of ${dim}` })
}

/** Rows and columns of patches: square, unless something says otherwise that fits the file's tables. */
function gridOf({ shapes, facts, given, where }: Evidence, patchSize: number): Grid {
  const patches = (shapes.get('pos_embed')?.at(-2) ?? 1) - 1
  const [rows] = shapes.get(sharedTable) ?? shapes.get(ownTable) ?? []
  const fits = ([height, width]: Grid) =>
    Number.isInteger(height) &&
    Number.isInteger(width) &&
    (patches === 0 || height * width === patches) &&
    (rows === undefined || relativeRows([height, width]) === rows)
  const said = [facts.imageSize, given.imageSize].flatMap((size) => (size ? [[size[0] / patchSize, size[1] / patchSize] as const] : []))
  const side = patches > 0 ? Math.sqrt(patches) : rows === undefined ? Number.NaN : (Math.sqrt(rows - 3) + 1) / 2
  // What the user gives may be the size to resample to: it says what the file has only where nothing else does.
  const found = [...(facts.imageSize ? said.slice(0, 1) : []), [side, side] as const, ...said].find(fits)
  if (found) return found
  const what =
    patches === 0 && rows === undefined
      ? 'the image size is not known: the file has no positions'
      : `the image size is not known: positions of ${patches || rows} ${patches ? 'patches' : 'offsets'} make no square`
  throw optionError({
    what,
    where,
    todo: `give imageSize as [height, width] of multiples of ${patchSize}, such as the encoder was trained with`,
  })
}
