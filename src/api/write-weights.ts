import { FiniteWatch } from '../io/finite-watch.js'
import { groupsOf } from '../io/tensor-entries.js'
import type { F32Tensor, FileValues } from '../native/types.js'
import type { NativeEncoder } from './native-model.js'

/** A tensor of a network, and where its values come from. */
export interface WeightMove {
  readonly name: string
  readonly shape: readonly number[]
  /** Where they lie in a file as they are wanted; undefined: they come from `read`. */
  locate(): Promise<FileValues | undefined>
  read(): Promise<F32Tensor> | F32Tensor
}

/**
 * Writes weights into a network: from files straight into its memory what lies there as it is wanted, and the rest group by group.
 * @returns what should be known of the values: see `FiniteWatch`
 */
export async function writeWeights(
  { addon, handle }: Pick<NativeEncoder, 'addon' | 'handle'>,
  moves: readonly WeightMove[],
): Promise<readonly string[]> {
  const watch = new FiniteWatch()
  const places = await Promise.all(moves.map((move) => move.locate()))
  const placed = moves.flatMap(({ name }, at) => {
    const values = places[at]
    return values ? [{ name, values }] : []
  })
  const counts = await addon.modelFill(
    handle.get(),
    placed.map(({ name }) => name),
    placed.map(({ values }) => values),
  )
  for (const [at, { name }] of placed.entries()) watch.count(name, counts[at] ?? 0)
  const others = moves.filter((_, at) => !places[at])
  for (const group of groupsOf(others)) {
    const tensors = await Promise.all(group.map((move) => move.read()))
    const groupNames = group.map(({ name }) => name)
    await addon.modelWrite(handle.get(), groupNames, tensors)
    for (const [at, { data }] of tensors.entries()) watch.note(groupNames[at] ?? '', data)
  }
  return watch.warnings
}
