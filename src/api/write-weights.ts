import { FiniteWatch } from '../io/finite-watch.js'
import { Scratch } from '../io/tensor-bytes.js'
import type { F32Tensor } from '../native/types.js'
import { float32Bytes, groupsOf } from '../train/tensor-files.js'
import type { NativeEncoder } from './native-model.js'

/** A tensor of a network, and where its values come from. */
export interface WeightMove {
  readonly name: string
  readonly shape: readonly number[]
  read(scratch: Scratch): Promise<F32Tensor> | F32Tensor
}

/** Tensors are read and written in groups of about so many bytes: large enough that turns between threads do not count. */
const groupBytes = 16 << 20

/**
 * Writes weights into a network. While one group of tensors is copied into it, the next is read; no more than these two are in memory.
 * @returns what should be known of the values: see `FiniteWatch`
 */
export async function writeWeights(
  { addon, handle }: Pick<NativeEncoder, 'addon' | 'handle'>,
  moves: readonly WeightMove[],
): Promise<readonly string[]> {
  const watch = new FiniteWatch()
  const groups = groupsOf(moves, groupBytes)
  const most = groups.reduce((bytes, group) => Math.max(bytes, roomFor(group)), 0)
  const scratches = [new Scratch(most), new Scratch(most)] as const
  const read = async (at: number): Promise<readonly F32Tensor[]> => {
    const scratch = scratches[at % 2 === 0 ? 0 : 1]
    scratch.clear()
    return Promise.all((groups[at] ?? []).map((move) => move.read(scratch)))
  }
  let coming = read(0)
  let writing = Promise.resolve()
  try {
    for (const [at, group] of groups.entries()) {
      const tensors = await coming
      await writing // of the group before, out of the memory that is read into now
      coming = read(at + 1)
      const names = group.map(({ name }) => name)
      writing = addon.modelWrite(handle.get(), names, tensors)
      for (const [index, { data }] of tensors.entries()) watch.note(group[index]?.name ?? '', data)
    }
  } finally {
    await Promise.allSettled([coming, writing])
  }
  await writing
  return watch.warnings
}

function roomFor(group: readonly WeightMove[]): number {
  return group.reduce((bytes, move) => bytes + float32Bytes(move) + 8, 0)
}
