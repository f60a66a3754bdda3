import { CaeError } from '../errors.js'
import { openSafetensors, type SafetensorsEntry, type SafetensorsFile } from '../io/safetensors.js'
import type { F32Tensor, TensorInfo } from '../native/types.js'

/** Reads tensors of a model or an optimizer, in the order of `names`. */
export type ReadTensors = (names: readonly string[]) => Promise<readonly F32Tensor[]>
export type WriteTensors = (names: readonly string[], tensors: readonly F32Tensor[]) => Promise<void>

/** What to write of a model or an optimizer: each tensor is fetched when its turn comes, so that one at a time is in memory. */
export function tensorEntries(infos: readonly TensorInfo[], read: ReadTensors): SafetensorsEntry[] {
  return infos.map(({ name, shape }) => ({
    name,
    dtype: 'F32',
    shape,
    data: async () => {
      const [tensor] = await read([name])
      if (!tensor) throw new CaeError('ERR_CAE_INTERNAL', { what: `the addon gave no tensor ${name}` })
      return tensor.data
    },
  }))
}

/**
 * Fills a model or an optimizer from a file that must hold exactly its tensors. All is checked before anything is written.
 * @throws {CaeError} ERR_CAE_CHECKPOINT naming every missing and unexpected tensor, or the first whose shape differs
 */
export async function restoreTensors(path: string, infos: readonly TensorInfo[], write: WriteTensors): Promise<void> {
  await using file = await openSafetensors(path)
  assertSameTensors(file, infos)
  for (const { name } of infos) await write([name], [await file.readFloat32(name)])
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
