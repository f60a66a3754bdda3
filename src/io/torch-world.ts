import type { Refuse } from './input-file.js'
import { PickleGlobal, type PickleValue, type PickleWorld } from './pickle.js'
import { dtypeBytes } from './safetensors-header.js'
import { storageDtypes, torchGlobals } from './torch-globals.js'
import { isCount, StorageHandle, TorchStorage } from './torch-tensor.js'

/** What globals mean in files of `torch.save`, and the storages that were named so far. */
export interface TorchWorld extends PickleWorld {
  readonly storages: ReadonlyMap<string, TorchStorage>
}

/** Longest name of a global or a storage. */
const longestName = 200

/** The meanings of spec/baselines.md 9.4 for one file. A global that is not among them is an error, used or not. */
export function torchWorld(refuse: Refuse): TorchWorld {
  const storages = new Map<string, TorchStorage>()
  const globals = torchGlobals(refuse)
  return {
    storages,
    find(name) {
      const found = name.length > longestName ? undefined : globals.get(name)
      if (found) return found
      const shown = JSON.stringify(name.slice(0, longestName).replace(' ', '.'))
      throw refuse(`it names ${shown}, which is not among what weights need; nothing of it was run`)
    },
    persistent(id) {
      if (!Array.isArray(id)) throw refuse('it refers to something outside that is no storage')
      if (id[0] === 'module') return id[1] ?? null // a class, with its source text, of which nothing is read
      if (id[0] !== 'storage') throw refuse('it refers to something outside that is no storage')
      return storageOf(id, storages, refuse)
    },
  }
}

/** ('storage', type, key, place, number of elements, and in legacy files: undefined or (view's key, offset, number of elements)). */
function storageOf(id: readonly PickleValue[], storages: Map<string, TorchStorage>, refuse: Refuse): StorageHandle {
  const [, type, key, , length, view = null] = id
  const dtype = type instanceof PickleGlobal ? storageDtypes[type.name] : undefined
  if (!dtype || typeof key !== 'string' || key.length > longestName || !isCount(length)) {
    throw refuse('a storage has no type, name and length')
  }
  const storage = storages.get(key) ?? new TorchStorage(key, dtype, length, refuse)
  storages.set(key, storage)
  if (storage.dtype !== dtype || storage.length !== length) throw refuse(`the storage ${JSON.stringify(key)} is described in two ways`)
  if (!Number.isSafeInteger(storage.bytes)) throw refuse(`the storage ${JSON.stringify(key)} is too large for any file`)
  if (view === null) return new StorageHandle({ storage, offset: 0, bytes: storage.bytes })
  const [, offset, count] = Array.isArray(view) ? view : []
  if (!isCount(offset) || !isCount(count) || offset + count > length) {
    throw refuse(`a part of the storage ${JSON.stringify(key)} lies outside it`)
  }
  const size = dtypeBytes[dtype]
  return new StorageHandle({ storage, offset: offset * size, bytes: count * size })
}
