import type { VitConfig } from '../config/architecture.js'
import { CaeError } from '../errors.js'
import { encoderTensors } from './encoder-tensors.js'
import type { Shapes } from './identify.js'
import type { KeyMap } from './key-map.js'

/** What becomes of the tensors of a file. */
export interface KeyReport {
  /** Our tensors, and those of the file that each is made of. */
  readonly matched: readonly { readonly name: string; readonly from: readonly string[] }[]
  /** Tensors that are not as in the file: resampled to another grid. */
  readonly reshaped: readonly { readonly name: string; readonly from: readonly number[]; readonly to: readonly number[] }[]
  /** Our tensors that the file does not have. */
  readonly missing: readonly string[]
  /** Parts of the file that an encoder does not have: heads, decoders, an optimizer. */
  readonly unused: readonly string[]
  /** Tensors of the file that nothing is known about. */
  readonly unexpected: readonly string[]
}

/** An encoder on its way from a file. */
export interface Passage {
  /** As it lies in the file. */
  readonly source: VitConfig
  /** As it is wanted. */
  readonly config: VitConfig
  /** Shapes of the file's tensors, put together, by our names. */
  readonly found: Shapes
  /** Tensors that the model makes by itself: positions that are a formula. */
  readonly made: ReadonlySet<string>
}

/** Says what becomes of every tensor. */
export function reportKeys(keys: KeyMap, { source, config, found, made }: Passage): KeyReport {
  const [before, after] = [encoderTensors(source), encoderTensors(config)]
  const taken = [...keys.assemblies].filter(([name]) => before.has(name) && isTaken(name, before, after, made))
  const strange = [...keys.assemblies].filter(([name]) => !before.has(name)).flatMap(([, { from }]) => from)
  return {
    matched: taken.map(([name, { from }]) => ({ name, from })),
    reshaped: taken.flatMap(([name]) => {
      const [from, to] = [before.get(name) ?? [], after.get(name) ?? []]
      return from.join() === to.join() ? [] : [{ name, from, to }]
    }),
    missing: [...before.keys()].filter((name) => !found.has(name) && !made.has(name)),
    unused: keys.unused,
    unexpected: [...keys.unexpected, ...strange],
  }
}

/** A table that the model makes is taken from the file only where it has the right size. */
function isTaken(name: string, before: Shapes, after: Shapes, made: ReadonlySet<string>): boolean {
  return !made.has(name) || before.get(name)?.join() === after.get(name)?.join()
}

/**
 * Refuses a file that has not all of an encoder, or, if `strict`, more than is known; all problems at once, before anything is read.
 * @throws {CaeError} ERR_CAE_CHECKPOINT
 */
export function assertWhole(
  report: KeyReport,
  keys: KeyMap,
  { source, found }: Passage,
  { strict, where }: { strict: boolean; where: string },
): void {
  const misshapen = [...encoderTensors(source)].flatMap(([name, wanted]) => {
    const shape = found.get(name)
    return shape === undefined || sameButForOnes(shape, wanted)
      ? []
      : [`${name} has the shape [${shape.join(', ')}], wanted is [${wanted.join(', ')}]`]
  })
  const problems = [
    ...misshapen,
    ...(keys.torn.length > 0 ? [`the file has not all projections of ${enumerate(keys.torn)}`] : []),
    ...(report.missing.length > 0 ? [`the file has no ${enumerate(report.missing)}`] : []),
    ...(strict && report.unexpected.length > 0 ? [`nothing is known about the file's ${enumerate(report.unexpected)}`] : []),
  ]
  if (problems.length === 0) return
  const isStrange = misshapen.length + keys.torn.length + report.missing.length === 0
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `the weights do not fit an encoder: ${problems.join('; ')}`,
    where,
    todo: isStrange ? 'strict: false leaves such tensors aside, if you know that the encoder does without them' : undefined,
  })
}

/** `[D]` and `[1, 1, D]` hold the same numbers in the same order. */
function sameButForOnes(a: readonly number[], b: readonly number[]): boolean {
  const counted = (shape: readonly number[]) => shape.filter((length) => length !== 1).join()
  return counted(a) === counted(b)
}

/** The first few, and how many more there are. */
export function enumerate(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}
