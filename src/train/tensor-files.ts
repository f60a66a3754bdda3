import { CaeError } from '../errors.js'
import { openSafetensors, type SafetensorsEntry, type SafetensorsFile } from '../io/safetensors.js'
import type { F32Tensor, TensorInfo } from '../native/types.js'

/** Reads tensors of a model or an optimizer, in the order of `names`. */
export type ReadTensors = (names: readonly string[]) => Promise<readonly F32Tensor[]>
export type WriteTensors = (names: readonly string[], tensors: readonly F32Tensor[]) => Promise<void>

type NamedShape = Pick<TensorInfo, 'name' | 'shape'>

/** Tensors are moved in groups of about so many bytes: one by one, the small ones cost a trip across the border each. */
const groupBytes = 4 << 20
/** The same where all are copied at once, and the training waits. */
const copiedGroupBytes = 32 << 20

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

/**
 * The same as a copy of all tensors at this moment: they may change as soon as this has resolved. Each is let go of when it is written.
 * @param check is called with each tensor before it is written
 */
export async function copiedEntries(
  infos: readonly TensorInfo[],
  read: ReadTensors,
  check?: (name: string, data: Float32Array) => void,
): Promise<SafetensorsEntry[]> {
  const copies = new Map<string, F32Tensor>()
  const copied = async (names: readonly string[]): Promise<F32Tensor[]> =>
    names.map((name) => {
      const tensor = copies.get(name)
      if (!tensor) throw new CaeError('ERR_CAE_INTERNAL', { what: `the addon gave no tensor ${name}` })
      copies.delete(name)
      check?.(name, tensor.data)
      return tensor
    })
  for (const group of groupsOf(infos, copiedGroupBytes)) {
    const names = group.map(({ name }) => name)
    for (const [at, tensor] of (await read(names)).entries()) copies.set(names[at] ?? '', tensor)
  }
  return tensorEntries(infos, copied)
}

/**
 * Fills a model or an optimizer from a file that must hold exactly its tensors. All is checked before anything is written.
 * @throws {CaeError} ERR_CAE_CHECKPOINT naming every missing and unexpected tensor, or the first whose shape differs
 */
export async function restoreTensors(path: string, infos: readonly TensorInfo[], write: WriteTensors): Promise<void> {
  await using file = await openSafetensors(path)
  assertSameTensors(file, infos)
  for (const group of groupsOf(infos)) {
    const tensors: F32Tensor[] = []
    for (const { name } of group) tensors.push(await file.readFloat32(name))
    await write(
      group.map(({ name }) => name),
      tensors,
    )
  }
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

function assertSameTensors(file: SafetensorsFile, infos: readonly TensorInfo[]): void {
  const wanted = new Map(infos.map((info) => [info.name, info]))
  const missing = [...wanted.keys()].filter((name) => !file.tensors.has(name))
  const unexpected = [...file.tensors.keys()].filter((name) => !wanted.has(name))
  const problems = [
    missing.length > 0 && `it lacks ${missing.join(', ')}`,
    unexpected.length > 0 && `nothing here is called ${unexpected.join(', ')}`,
    ...infos.map(({ name, shape }) => {
      const found = file.tensors.get(name)?.shape ?? shape
      return found.join() !== shape.join() && `${name} has the shape [${found.join(', ')}], wanted is [${shape.join(', ')}]`
    }),
  ].filter((problem) => problem !== false)
  if (problems.length === 0) return
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `not the tensors of this run: ${problems.join('; ')}`,
    where: file.path,
    todo: 'go on with the model that wrote it, or start a new run from its weights with `initFrom`',
  })
}
