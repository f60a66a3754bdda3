import type { FileHandle } from 'node:fs/promises'

import { CaeError } from '../errors.js'
import type { FileValues } from '../native/types.js'
import { fileKind, notWeights } from './file-kind.js'
import { openInput, type Refuse, readExactly } from './input-file.js'
import { dtypeBytes, elementCount } from './safetensors-header.js'
import { isContiguous, readStrided } from './strided.js'
import { float32From, typedArray } from './tensor-array.js'
import { type ReadInto, readBytes, readFloat32Values, toFileValues } from './tensor-bytes.js'
import type { StoredTensor, TensorFile } from './tensor-file.js'
import type { TorchContainer } from './torch-container.js'
import { type PlainValue, type TorchContents, torchContents } from './torch-contents.js'
import { openTorchLegacy } from './torch-legacy.js'
import type { TorchTensor } from './torch-tensor.js'
import { openTorchZip } from './torch-zip.js'

/**
 * Opens a file of `torch.save` (`.pth`, `.pt`, `.bin`, `.pkl`) without running anything in it: names, shapes and settings are read and checked
 * whole, the data when asked for, one tensor at a time (spec/baselines.md 9). Both of its forms are read, dictionaries and lists of tensors
 * as well as whole pickled modules. Weights that are not finite are not looked for.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is no such file, it is something else, it is damaged, or its pickle names anything that
 * weights do not need
 * @example
 * await using file = await openTorchFile('mae_pretrain_vit_base.pth')
 * const { data, shape } = await file.readFloat32('model.cls_token')
 */
export async function openTorchFile(path: string): Promise<TorchFile> {
  const kind = await fileKind(path)
  if (kind === 'safetensors') throw notWeights(path, 'a safetensors file, not one of torch.save', 'open it as such')
  if (kind === 'json') throw notWeights(path, 'JSON text, not one of torch.save', 'the file of weights beside it')
  const refuse: Refuse = (reason, cause) =>
    new CaeError('ERR_CAE_CHECKPOINT', { what: `not a usable torch.save file: ${reason}`, where: path }, { cause })
  return openInput(path, async (handle) => {
    const container = await (kind === 'zip' ? openTorchZip : openTorchLegacy)(handle, refuse)
    return new TorchFile(path, handle, container, torchContents(container.root, refuse), refuse)
  })
}

/** An open file of `torch.save`. */
export class TorchFile implements TensorFile {
  /** Use `openTorchFile`. */
  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly container: TorchContainer,
    private readonly contents: TorchContents,
    private readonly refuse: Refuse,
  ) {}

  get format(): TorchContainer['format'] {
    return this.container.format
  }

  /** Element type and shape by dotted path, such as `model.blocks.0.attn.qkv.weight`, in the order of the file. */
  get tensors(): ReadonlyMap<string, TorchTensor> {
    return this.contents.tensors
  }

  /** What the file holds beside tensors: epoch, arguments, settings of an optimizer, the sizes of a pickled module. */
  get extras(): { readonly [name: string]: PlainValue } {
    return this.contents.extras
  }

  /**
   * One tensor in its own element type, row-major whatever its strides. Tensors that share a storage come each in an array of its own.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none of this name, or the file has shrunk since it was opened
   */
  async read(name: string): Promise<StoredTensor> {
    const tensor = this.tensor(name)
    return { dtype: tensor.dtype, shape: tensor.shape, data: typedArray(tensor.dtype, await this.readRowMajor(name, tensor)) }
  }

  /**
   * Where the values of an F32, F16, BF16 or F64 tensor lie in the file; undefined for any other, where strides leave gaps or another order, and
   * where the highest byte comes first.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none of this name
   */
  async locate(name: string): Promise<FileValues | undefined> {
    const tensor = this.tensor(name)
    if (this.container.isBigEndian || !isContiguous(layoutOf(tensor))) return undefined
    return toFileValues(this.handle, this.path, tensor.dtype, elementCount(tensor.shape), await this.start(tensor))
  }

  /**
   * One F32, F16, BF16 or F64 tensor as float32; F64 is rounded to the nearest.
   * @throws {CaeError} ERR_CAE_CHECKPOINT as `read`, and for another element type
   */
  async readFloat32(name: string): Promise<{ data: Float32Array; shape: readonly number[] }> {
    const tensor = this.tensor(name)
    const { dtype, shape } = tensor
    const data = isContiguous(layoutOf(tensor))
      ? await readFloat32Values(dtype, elementCount(shape), await this.reader(tensor))
      : float32From(dtype, await this.readRowMajor(name, tensor))
    if (!data) throw this.refuse(`${JSON.stringify(name)} is ${dtype}, wanted are floating-point numbers`)
    return { data, shape }
  }

  /** Closes the file; a second call does nothing. */
  async close(): Promise<void> {
    await this.handle.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private tensor(name: string): TorchTensor {
    const tensor = this.tensors.get(name)
    if (tensor) return tensor
    throw new CaeError('ERR_CAE_CHECKPOINT', { what: `there is no tensor ${JSON.stringify(name)}`, where: this.path })
  }

  private async readRowMajor(name: string, tensor: TorchTensor): Promise<Uint8Array> {
    const layout = layoutOf(tensor)
    const read = await this.reader(tensor)
    if (isContiguous(layout)) return readBytes(elementCount(tensor.shape) * layout.elementBytes, read)
    const bytes = await readStrided(layout, read)
    if (!bytes) throw this.refuse(`the elements of ${JSON.stringify(name)} overlap one another`)
    return bytes
  }

  /** Reads bytes of a tensor's storage from its first element on, lowest byte first. */
  private async reader(tensor: TorchTensor): Promise<ReadInto> {
    const start = await this.start(tensor)
    return async (target, from) => {
      await readExactly(this.handle, target, start + from, this.refuse)
      if (this.container.isBigEndian) swapBytes(target, dtypeBytes[tensor.dtype])
    }
  }

  /** Position of a tensor's first element in the file. */
  private async start({ storage, offset }: TorchTensor): Promise<number> {
    return (await this.container.locate(storage)) + offset
  }
}

function layoutOf({ dtype, shape, strides }: TorchTensor) {
  return { shape, strides, elementBytes: dtypeBytes[dtype] }
}

function swapBytes({ buffer, byteOffset, byteLength }: Uint8Array, elementBytes: number): void {
  const bytes = Buffer.from(buffer, byteOffset, byteLength)
  if (elementBytes === 2) bytes.swap16()
  if (elementBytes === 4) bytes.swap32()
  if (elementBytes === 8) bytes.swap64()
}
