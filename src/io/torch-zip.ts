import type { FileHandle } from 'node:fs/promises'

import { type Refuse, readExactly } from './input-file.js'
import { readPickle } from './pickle.js'
import { maxPickleBytes, type TorchContainer } from './torch-container.js'
import type { TorchStorage } from './torch-tensor.js'
import { type TorchWorld, torchWorld } from './torch-world.js'
import { dataStart, listZip, type ZipEntry } from './zip.js'

/**
 * Reads the directory and the pickle of a `torch.save` file in its zip form (spec/baselines.md 9.1); every storage is there, in its length.
 * @throws the error of `refuse` for a damaged archive, a compressed one, TorchScript, and whatever a pickle may not hold
 */
export async function openTorchZip(file: FileHandle, refuse: Refuse): Promise<TorchContainer> {
  const entries = await listZip(file, refuse)
  const root = entries.find(({ name }) => /^[^/]+\/data\.pkl$/.test(name))?.name.slice(0, -'data.pkl'.length)
  if (root === undefined) throw refuse('this zip archive holds no data.pkl, so torch.save did not make it')
  if (entries.some(({ name }) => name === `${root}constants.pkl` || name.startsWith(`${root}code/`))) {
    throw refuse('it is a TorchScript archive, a program with weights: save the state_dict alone, as safetensors or by torch.save')
  }
  const byName = new Map<string, ZipEntry>()
  for (const entry of entries) {
    if (entry.isDeflated || entry.bytes !== entry.compressedBytes) throw refuse(`${entry.name} is compressed, which torch.save never does`)
    if (byName.has(entry.name)) throw refuse(`it has two entries ${entry.name}`)
    byName.set(entry.name, entry)
  }
  const readEntry = async (name: string, limit: number): Promise<Buffer | undefined> => {
    const entry = byName.get(root + name)
    if (!entry) return undefined
    if (entry.bytes > limit) throw refuse(`${name} has ${entry.bytes} bytes, at most ${limit} are read`)
    const bytes = Buffer.alloc(entry.bytes)
    await readExactly(file, bytes, await dataStart(file, entry, refuse), refuse)
    return bytes
  }

  const world = torchWorld(refuse)
  const pickle = readPickle((await readEntry('data.pkl', maxPickleBytes)) ?? Buffer.alloc(0), 0, world, refuse)
  if (!pickle) throw refuse('its data.pkl is cut short')
  const byteOrder = (await readEntry('byteorder', 16))?.toString('latin1') ?? 'little'
  if (byteOrder !== 'little' && byteOrder !== 'big') throw refuse(`its byte order is ${JSON.stringify(byteOrder)}`)
  const storageEntries = entriesOfStorages(world, byName, root, refuse)
  const starts = new Map<TorchStorage, Promise<number>>()
  return {
    format: 'torch-zip',
    root: pickle.value,
    isBigEndian: byteOrder === 'big',
    async locate(storage) {
      const entry = storageEntries.get(storage)
      if (!entry) throw refuse(`it has no storage ${JSON.stringify(storage.key)}`)
      const start = starts.get(storage) ?? dataStart(file, entry, refuse)
      starts.set(storage, start)
      return start
    },
  }
}

function entriesOfStorages(
  { storages }: TorchWorld,
  entries: ReadonlyMap<string, ZipEntry>,
  root: string,
  refuse: Refuse,
): ReadonlyMap<TorchStorage, ZipEntry> {
  const found = new Map<TorchStorage, ZipEntry>()
  for (const storage of storages.values()) {
    const entry = entries.get(`${root}data/${storage.key}`)
    if (!entry) throw refuse(`it has no storage ${JSON.stringify(storage.key.slice(0, 100))}`)
    if (entry.bytes !== storage.bytes) {
      throw refuse(`${entry.name} has ${entry.bytes} bytes, ${storage.length} elements of ${storage.dtype} take ${storage.bytes}`)
    }
    found.set(storage, entry)
  }
  return found
}
