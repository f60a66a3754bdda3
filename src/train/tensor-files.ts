import { CaeError } from '../errors.js'
import { openSafetensors, type SafetensorsEntry, type SafetensorsFile } from '../io/safetensors.js'
import { groupsOf, type ReadTensors, tensorEntries } from '../io/tensor-entries.js'
import type { F32Tensor, TensorInfo } from '../native/types.js'

/** Writes tensors of a model or an optimizer. */
export type WriteTensors = (names: readonly string[], tensors: readonly F32Tensor[]) => Promise<void>

/** Tensors are copied in groups of about so many bytes: the training waits for it. */
const copiedGroupBytes = 32 << 20

/**
 * What to write of a model or an optimizer, as a copy of all tensors at this moment: they may change as soon as this has resolved. Each is let go
 * of when it is written.
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
