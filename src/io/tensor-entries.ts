import { CaeError } from '../errors.js'
import type { F32Tensor, TensorInfo } from '../native/types.js'
import type { SafetensorsEntry } from './safetensors.js'

/** Reads tensors of a model or an optimizer, in the order of `names`. */
export type ReadTensors = (names: readonly string[]) => Promise<readonly F32Tensor[]>

type NamedShape = Pick<TensorInfo, 'name' | 'shape'>

/** Tensors are moved in groups of about so many bytes: one by one, the small ones cost a trip across the border each. */
const groupBytes = 4 << 20

/**
 * What to write of a model or an optimizer. Tensors are fetched when their turn comes, and the next group while one is written, so that few at a
 * time are in memory.
 */
export function tensorEntries(infos: readonly NamedShape[], read: ReadTensors): SafetensorsEntry[] {
  const groups = groupsOf(inFileOrder(infos))
  const coming = new Map<number, Promise<readonly F32Tensor[]>>()
  const fetch = (at: number): Promise<readonly F32Tensor[]> => {
    const names = (groups[at] ?? []).map(({ name }) => name)
    const tensors = coming.get(at) ?? (names.length > 0 ? read(names) : Promise.resolve([]))
    tensors.catch(() => undefined) // its failure is told when its turn comes
    coming.set(at, tensors)
    return tensors
  }
  return groups.flatMap((group, at) =>
    group.map(({ name, shape }, index): SafetensorsEntry => {
      const data = async () => {
        const tensor = (await fetch(at))[index]
        if (!tensor) throw new CaeError('ERR_CAE_INTERNAL', { what: `the addon gave no tensor ${name}` })
        if (index === 0) void fetch(at + 1)
        if (index === group.length - 1) coming.delete(at)
        return tensor.data
      }
      return { name, dtype: 'F32', shape, data }
    }),
  )
}

/** As the writer orders float32 tensors. */
function inFileOrder(infos: readonly NamedShape[]): NamedShape[] {
  return [...infos].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
}

/** Tensors in their order, in groups of about so many bytes; a larger one is a group of its own. */
export function groupsOf<T extends { readonly shape: readonly number[] }>(infos: readonly T[], bytesOfGroup = groupBytes): T[][] {
  const groups: T[][] = []
  let room = 0
  for (const info of infos) {
    const bytes = float32Bytes(info)
    if (bytes > room) {
      groups.push([])
      room = bytesOfGroup
    }
    groups.at(-1)?.push(info)
    room -= bytes
  }
  return groups
}

/** What a tensor takes as float32. */
export function float32Bytes({ shape }: { readonly shape: readonly number[] }): number {
  return 4 * shape.reduce((product, size) => product * size, 1)
}
