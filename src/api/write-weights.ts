import { FiniteWatch } from '../io/finite-watch.js'
import { Scratch } from '../io/tensor-bytes.js'
import type { F32Tensor } from '../native/types.js'
import type { NativeEncoder } from './native-model.js'

/** A tensor of a network, and where its values come from. */
export interface WeightMove {
  readonly name: string
  read(scratch: Scratch): Promise<F32Tensor> | F32Tensor
}

/**
 * Writes weights into a network. While one tensor is copied into it, the next is read; no more than these two are in memory.
 * @returns what should be known of the values: see `FiniteWatch`
 */
export async function writeWeights(
  { addon, handle }: Pick<NativeEncoder, 'addon' | 'handle'>,
  moves: readonly WeightMove[],
): Promise<readonly string[]> {
  const watch = new FiniteWatch()
  const scratches = [new Scratch(), new Scratch()] as const
  const read = async (at: number) => moves[at]?.read(scratches[at % 2 === 0 ? 0 : 1])
  let coming = read(0)
  let writing = Promise.resolve()
  try {
    for (const [at, { name }] of moves.entries()) {
      const tensor = await coming
      coming = read(at + 1)
      if (!tensor) continue // there is one for every move
      watch.note(name, tensor.data)
      await writing
      writing = addon.modelWrite(handle.get(), [name], [tensor]) // the call itself copies: the memory can be used again
    }
  } finally {
    await Promise.allSettled([coming, writing])
  }
  await writing
  return watch.warnings
}
