import type { FileValues } from '../native/types.js'
import { fileKind } from './file-kind.js'
import { openSafetensors } from './safetensors.js'
import type { Dtype } from './safetensors-header.js'
import { openShardedFile } from './sharded-file.js'
import type { TensorArray } from './tensor-array.js'
import { openTorchFile } from './torch-file.js'

/** A tensor as it lies in the file. F16, BF16 and F8 come as their bits, in `Uint16Array` and `Uint8Array`. */
export interface StoredTensor {
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly data: TensorArray
}

/** An open file of named tensors, in any format that is read here. Values are not checked: they may be infinite or NaN. */
export interface TensorFile extends AsyncDisposable {
  readonly path: string
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy'
  readonly tensors: ReadonlyMap<string, { readonly dtype: Dtype; readonly shape: readonly number[] }>
  /** One tensor in its own element type, row-major. */
  read(name: string): Promise<StoredTensor>
  /** Where the values of a floating-point tensor lie as they are in memory, for native code to read; undefined where they do not. */
  locate(name: string): Promise<FileValues | undefined>
  /** One floating-point tensor as float32. */
  readFloat32(name: string): Promise<{ data: Float32Array; shape: readonly number[] }>
  close(): Promise<void>
}

/**
 * Opens a file of tensors, telling its format by its content: safetensors, either form of `torch.save`, or the index
 * (`*.safetensors.index.json`, `pytorch_model.bin.index.json`) of several such files in one folder.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is no such file, it is something else (saying what), or it is damaged
 * @example
 * await using file = await openTensorFile('weights.bin')
 * for (const [name, { dtype, shape }] of file.tensors) console.log(name, dtype, shape)
 */
export async function openTensorFile(path: string): Promise<TensorFile> {
  return (await fileKind(path)) === 'json' ? openShardedFile(path, openOneFile) : openOneFile(path)
}

/** Opens a file that holds its tensors itself. */
async function openOneFile(path: string): Promise<TensorFile> {
  return (await fileKind(path)) === 'safetensors' ? openSafetensors(path) : openTorchFile(path)
}
