import type { FileHandle } from 'node:fs/promises'

import { type Refuse, readAt, readExactly } from './input-file.js'
import { type PickleValue, type PickleWorld, readPickle } from './pickle.js'
import { dtypeBytes } from './safetensors-header.js'
import { maxPickleBytes, type TorchContainer } from './torch-container.js'
import type { TorchStorage } from './torch-tensor.js'
import { torchWorld } from './torch-world.js'

const magic = 0x1950a86a20f9469cfc6cn
const version = 1001
const firstWindow = 64 << 10

/**
 * Reads the pickles of a `torch.save` file in its form before PyTorch 1.6: magic number, version, facts of the machine, the object, keys of
 * its storages; then storage after storage, each behind its length (spec/baselines.md 9.2).
 * @throws the error of `refuse` for a pickle by anything else, for one that is cut short, and whatever a pickle may not hold
 */
export async function openTorchLegacy(file: FileHandle, refuse: Refuse): Promise<TorchContainer> {
  const { size } = await file.stat()
  const world = torchWorld(refuse)
  const pickles = new PickleStream(file, size, world, refuse)
  if ((await pickles.next()) !== magic) throw refuse('it is a pickle that torch.save did not make')
  if ((await pickles.next()) !== version) throw refuse(`its version is not ${version}`)
  await pickles.next() // whatever the machine: numbers are written with their lowest byte first
  const root = await pickles.next()
  const keys = await pickles.next()
  if (!Array.isArray(keys)) throw refuse('it has no list of its storages')

  const starts = new Map<TorchStorage, number>()
  let at = pickles.at
  for (const key of keys) {
    const storage = typeof key === 'string' ? world.storages.get(key) : undefined
    if (!storage || starts.has(storage)) throw refuse('it lists a storage twice, or one that nothing uses')
    const head = Buffer.alloc(8)
    await readExactly(file, head, at, refuse)
    const length = head.readBigInt64LE()
    if (length !== BigInt(storage.length)) {
      throw refuse(`the storage ${JSON.stringify(storage.key)} has ${length} elements, its tensors expect ${storage.length}`)
    }
    starts.set(storage, at + head.length)
    at += head.length + storage.length * dtypeBytes[storage.dtype]
    if (at > size) throw refuse(`its storages end at byte ${at}, the file holds ${size}: it was cut short`)
  }
  if (starts.size < world.storages.size) throw refuse('it lacks storages that its tensors use')
  return {
    format: 'torch-legacy',
    root,
    isBigEndian: false,
    async locate(storage) {
      const start = starts.get(storage)
      if (start === undefined) throw refuse(`it has no storage ${JSON.stringify(storage.key)}`)
      return start
    },
  }
}

/** Pickles that follow one another at the start of a file whose end may be far away: more of it is read when one does not end. */
class PickleStream {
  /** Where the next one begins. */
  at = 0
  private window: Buffer = Buffer.alloc(0)

  constructor(
    private readonly file: FileHandle,
    private readonly size: number,
    private readonly world: PickleWorld,
    private readonly refuse: Refuse,
  ) {}

  async next(): Promise<PickleValue> {
    for (;;) {
      const found = readPickle(this.window, this.at, this.world, this.refuse)
      if (found) {
        this.at = found.end
        return found.value
      }
      await this.widen()
    }
  }

  private async widen(): Promise<void> {
    const { length } = this.window
    if (length >= this.size) throw this.refuse('it ends inside a pickle: it was cut short')
    if (length >= maxPickleBytes) throw this.refuse(`its pickles take more than ${maxPickleBytes} bytes`)
    this.window = await readAt(this.file, 0, Math.min(this.size, maxPickleBytes, Math.max(firstWindow, 8 * length)))
    if (this.window.length <= length) throw this.refuse('it was cut short while open')
  }
}
