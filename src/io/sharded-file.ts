import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { CaeError } from '../errors.js'
import type { FileValues } from '../native/types.js'
import type { StoredTensor, TensorFile } from './tensor-file.js'

type TensorInfo = ReturnType<TensorFile['tensors']['get']> & object

/** Longest index that is read; those of the largest models take a few megabytes. */
const maxIndexBytes = 64 << 20

/**
 * Opens all files that an index names (`weight_map`: tensor -> file in the same folder).
 * @param openShard opens one of them
 * @throws {CaeError} ERR_CAE_CHECKPOINT when it is no such index, or a file lacks a tensor it should hold
 */
export async function openShardedFile(path: string, openShard: (path: string) => Promise<TensorFile>): Promise<TensorFile> {
  const places = await readIndex(path)
  const files = new Map<string, TensorFile>()
  try {
    const owners = new Map<string, TensorFile>()
    const tensors = new Map<string, TensorInfo>()
    for (const [name, shard] of places) {
      const file = files.get(shard) ?? (await openShard(join(dirname(path), shard)))
      files.set(shard, file)
      const info = file.tensors.get(name)
      if (!info) throw refusal(file.path, `it should hold ${JSON.stringify(name)}, says ${path}`)
      tensors.set(name, info)
      owners.set(name, file)
    }
    return new ShardedFile(path, tensors, owners)
  } catch (error) {
    for (const file of files.values()) await file.close()
    throw error
  }
}

class ShardedFile implements TensorFile {
  readonly format: TensorFile['format']

  constructor(
    readonly path: string,
    readonly tensors: TensorFile['tensors'],
    private readonly owners: ReadonlyMap<string, TensorFile>,
  ) {
    this.format = [...owners.values()][0]?.format ?? 'safetensors'
  }

  async read(name: string): Promise<StoredTensor> {
    return this.owner(name).read(name)
  }

  async locate(name: string): Promise<FileValues | undefined> {
    return this.owner(name).locate(name)
  }

  async readFloat32(name: string): Promise<{ data: Float32Array; shape: readonly number[] }> {
    return this.owner(name).readFloat32(name)
  }

  async close(): Promise<void> {
    for (const file of new Set(this.owners.values())) await file.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private owner(name: string): TensorFile {
    const owner = this.owners.get(name)
    if (owner) return owner
    throw refusal(this.path, `there is no tensor ${JSON.stringify(name)}`)
  }
}

async function readIndex(path: string): Promise<readonly (readonly [name: string, shard: string])[]> {
  const noIndex = 'not a file of weights: it is JSON text without a `weight_map` of tensors to files'
  if ((await stat(path)).size > maxIndexBytes) throw refusal(path, noIndex)
  let index: unknown
  try {
    index = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw refusal(path, noIndex, cause)
  }
  const map = typeof index === 'object' && index !== null && 'weight_map' in index ? index.weight_map : undefined
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw refusal(path, noIndex)
  return Object.entries(map).map(([name, shard]: [string, unknown]) => {
    if (typeof shard === 'string' && /^[^/\\]+$/.test(shard)) return [name, shard] as const
    throw refusal(path, `the place of ${JSON.stringify(name)} is not the name of a file of weights in this folder`)
  })
}

function refusal(path: string, what: string, cause?: unknown): CaeError {
  return new CaeError('ERR_CAE_CHECKPOINT', { what, where: path }, { cause })
}
