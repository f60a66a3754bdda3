import { dirname } from 'node:path'

import type { VitConfig } from '../config/architecture.js'
import type { ImportConfig } from '../config/import.js'
import { optionError } from '../config/resolve.js'
import { CaeError } from '../errors.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import { EncoderFile, type FoundProjection, gridOf } from './encoder-file.js'
import { readFacts } from './facts.js'
import { identify, type Shapes } from './identify.js'
import { mapKeys } from './key-map.js'
import { assertWhole, reportKeys } from './key-report.js'
import { measure } from './measure.js'
import type { Origin } from './origin.js'
import { readOwnFile } from './own-file.js'
import { type Unwrapped, unwrap } from './unwrap.js'

/**
 * Opens a file of weights, says what it is, and checks that it holds an encoder whole; of the tensors only names and shapes are read.
 * @param given what the user says about it; everything open is read from the file
 * @throws {CaeError} ERR_CAE_CHECKPOINT when it is no encoder that is known here, or not all of it; ERR_CAE_OPTION when an option is needed or
 *   does not fit
 */
export async function openEncoderFile(path: string, given: ImportConfig): Promise<EncoderFile> {
  const file = await openTensorFile(path)
  try {
    return await recognise(file, given)
  } catch (error) {
    await file.close()
    throw error
  }
}

async function recognise(file: TensorFile, given: ImportConfig): Promise<EncoderFile> {
  const shapes: Shapes = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]))
  const own = readOwnFile(file)
  const plain = unwrap(shapes.keys())
  const { origin, container, keys } = own
    ? { origin: own.origin, container: '', keys: mapKeys(plain, own.origin) }
    : identify(shapes, file.path)
  const found = new Map([...keys.assemblies].map(([name, { from }]) => [name, assembledShape(from, shapes)]))
  const facts = own ? {} : await readFacts(dirname(file.path))
  const source = own?.config ?? measure({ shapes: found, origin, facts, given, where: file.path })
  const config = retarget(source, given)
  const made = new Set(source.positions === 'reference' || source.positions === 'grid' ? ['pos_embed'] : [])
  const passage = { source, config, found, made }
  const report = reportKeys(keys, passage)
  assertWhole(report, keys, passage, { strict: given.strict, where: file.path })
  const projection = findProjection(plain, origin, shapes, config, file.path)
  return new EncoderFile(file, origin, container, source, config, report, projection)
}

/** What the file has of the origin's projection; undefined where there is none. */
function findProjection(
  { names }: Unwrapped,
  { projection }: Origin,
  shapes: Shapes,
  { embedDim }: VitConfig,
  where: string,
): FoundProjection | undefined {
  const from = projection && names.get(projection.name)
  if (from === undefined) return undefined
  const shape = shapes.get(from) ?? []
  const [outputs = 0, inputs] = projection?.isTransposed ? [...shape].reverse() : shape
  if (shape.length === 2 && inputs === embedDim) return { from, outputs, isTransposed: projection?.isTransposed ?? false }
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `${from} has the shape [${shape.join(', ')}], wanted is a matrix from ${embedDim} channels`,
    where,
  })
}

/** The encoder that the user wants, made of the one in the file. */
function retarget(source: VitConfig, given: ImportConfig): VitConfig {
  for (const name of ['numHeads', 'activation'] as const) {
    if (given[name] === null || given[name] === source[name]) continue
    throw optionError({ what: `${name} ${given[name]} contradicts the file, which says ${source[name]}`, todo: `leave ${name} out` })
  }
  const config = {
    ...source,
    imageSize: given.imageSize ?? source.imageSize,
    patchSize: given.patchSize ?? source.patchSize,
    mean: given.mean ?? source.mean,
    std: given.std ?? source.std,
  }
  const side = config.imageSize.find((length) => length % config.patchSize !== 0)
  if (side !== undefined) {
    throw optionError({ what: `imageSize ${side} is not a multiple of the patch size ${config.patchSize}`, todo: 'another imageSize' })
  }
  const [from, to] = [gridOf(source), gridOf(config)]
  const isSquare = from[0] === from[1] && to[0] === to[1]
  if (source.relativePositions !== 'none' && from.join() !== to.join() && !isSquare) {
    throw optionError({
      what: `relative positions of ${from.join(' x ')} patches cannot be resampled to ${to.join(' x ')}: both must be square`,
      todo: 'a square imageSize',
    })
  }
  return config
}

/** Shape of the pieces of one tensor, one above the other; of pieces that do not fit, one that fits nothing. */
function assembledShape(pieces: readonly string[], shapes: Shapes): readonly number[] {
  const [first = [], ...others] = pieces.map((name) => shapes.get(name) ?? [])
  if (others.length === 0) return first
  const fit = others.every((shape) => shape.join() === first.join())
  return fit ? [pieces.length * (first[0] ?? 0), ...first.slice(1)] : []
}
