import type { PickleValue } from './pickle.js'
import type { TorchStorage } from './torch-tensor.js'

/** The outer form of a `torch.save` file: the object it holds, and where the numbers lie. */
export interface TorchContainer {
  readonly format: 'torch-zip' | 'torch-legacy'
  readonly root: PickleValue
  /** Whether elements have their highest byte first. */
  readonly isBigEndian: boolean
  /** Position of a storage's first byte in the file. */
  locate(storage: TorchStorage): Promise<number>
}

/** Largest pickle that is read: the names, shapes and settings of a checkpoint are seldom a megabyte. */
export const maxPickleBytes = 64 << 20
