import type { FileHandle } from 'node:fs/promises'

import { CaeError } from '../errors.js'
import type { FileValues } from '../native/types.js'
import { type FileContent, type FileSink, type WrittenFile, writeFileAtomic, writeFileSynced } from './atomic-write.js'
import { openInput, readExactly } from './input-file.js'
import {
  type Dtype,
  dtypeBytes,
  elementCount,
  maxHeaderBytes,
  parseSafetensorsHeader,
  refuse,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.js'
import { typedArray } from './tensor-array.js'
import { readBytes, readFloat32Values, toFileValues } from './tensor-bytes.js'
import type { StoredTensor, TensorFile } from './tensor-file.js'

/**
 * One tensor to write. `data` may be a function, called when its turn comes, so that only one tensor is in memory at a time; or pieces in
 * order, for a tensor that is never in memory whole.
 */
export interface SafetensorsEntry {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly data: ArrayBufferView | (() => Promise<ArrayBufferView> | ArrayBufferView) | AsyncIterable<ArrayBufferView>
}

/**
 * Reads and checks the header of a safetensors file, not its data.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is no such file or it breaks the format in any way
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  await using file = await openSafetensors(path)
  return file.header
}

/**
 * Opens a safetensors file: the header is checked whole, the data is read when asked for, one tensor at a time.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is no such file or it breaks the format in any way
 * @example
 * await using file = await openSafetensors('model.safetensors')
 * const { data, shape } = await file.readFloat32('encoder.cls_token')
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return openInput(path, async (handle) => new SafetensorsFile(path, handle, await readHeader(handle, path)))
}

/** An open safetensors file. */
export class SafetensorsFile implements TensorFile {
  readonly format = 'safetensors'

  /** Use `openSafetensors`. */
  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    readonly header: SafetensorsHeader,
  ) {}

  /** Text entries of `__metadata__`. */
  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata
  }

  /** Entry of each tensor by name, in the order of the data. */
  get tensors(): ReadonlyMap<string, TensorEntry> {
    return this.header.tensors
  }

  /**
   * One tensor in its own element type.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none of this name, or the file has shrunk since it was opened
   */
  async read(name: string): Promise<StoredTensor> {
    const { dtype, shape, begin, end } = this.entry(name)
    const bytes = await readBytes(end - begin, (target, offset) => this.readInto(target, begin + offset))
    return { dtype, shape, data: typedArray(dtype, bytes) }
  }

  /**
   * Where the values of an F32, F16, BF16 or F64 tensor lie in the file; undefined for any other.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none of this name
   */
  async locate(name: string): Promise<FileValues | undefined> {
    const { dtype, shape, begin } = this.entry(name)
    return toFileValues(this.handle, this.path, dtype, elementCount(shape), this.header.dataStart + begin)
  }

  /**
   * One F32, F16, BF16 or F64 tensor as float32; F64 is rounded to the nearest.
   * @throws {CaeError} ERR_CAE_CHECKPOINT as `read`, and for another element type
   */
  async readFloat32(name: string): Promise<{ data: Float32Array; shape: readonly number[] }> {
    const { dtype, shape, begin } = this.entry(name)
    const data = await readFloat32Values(dtype, elementCount(shape), (target, offset) => this.readInto(target, begin + offset))
    if (!data) throw refuse(`${JSON.stringify(name)} is ${dtype}, wanted are floating-point numbers`, this.path)
    return { data, shape }
  }

  /** Closes the file; a second call does nothing. */
  async close(): Promise<void> {
    await this.handle.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private entry(name: string): TensorEntry {
    const entry = this.tensors.get(name)
    if (entry) return entry
    throw new CaeError('ERR_CAE_CHECKPOINT', { what: `there is no tensor ${JSON.stringify(name)}`, where: this.path })
  }

  private async readInto(target: Uint8Array, offset: number): Promise<void> {
    await readExactly(this.handle, target, this.header.dataStart + offset, (reason) => refuse(reason, this.path))
  }
}

/**
 * Puts a safetensors file in place in one step, in the order and padding of the reference writer, tensor by tensor. The bytes depend on the tensors and the
 * metadata alone; `format: pt` is always there, since readers of PyTorch weights want it (spec/ecosystem.md 5.6).
 * @throws {CaeError} ERR_CAE_OUTPUT when it cannot be written, ERR_CAE_SHAPE when data and shape disagree
 */
export async function writeSafetensors(
  path: string,
  entries: Iterable<SafetensorsEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, contentOf(entries, metadata))
}

/**
 * The same as a new file, not by a rename: for a folder in the making.
 * @throws {CaeError} as `writeSafetensors`; ERR_CAE_OUTPUT when it exists, too
 */
export function writeNewSafetensors(
  path: string,
  entries: Iterable<SafetensorsEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<WrittenFile> {
  return writeFileSynced(path, contentOf(entries, metadata))
}

function contentOf(entries: Iterable<SafetensorsEntry>, metadata: Readonly<Record<string, string>>): FileContent {
  const ordered = [...entries].sort(referenceOrder)
  const header = buildHeader(ordered, { format: 'pt', ...metadata })
  return async (sink) => {
    await sink.write(header)
    for (const entry of ordered) await writeEntry(sink, entry)
  }
}

/** Largest elements first, so that every tensor is aligned; then by name, compared as UTF-8 like Rust strings. */
function referenceOrder(a: SafetensorsEntry, b: SafetensorsEntry): number {
  return dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))
}

function buildHeader(entries: readonly SafetensorsEntry[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const sorted = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))
  const fields: [string, unknown][] = [['__metadata__', Object.fromEntries(sorted)]]
  let begin = 0
  for (const { name, dtype, shape } of entries) {
    const end = begin + elementCount(shape) * dtypeBytes[dtype]
    fields.push([name, { dtype, shape, data_offsets: [begin, end] }])
    begin = end
  }
  if (new Set(fields.map(([name]) => name)).size < fields.length) {
    throw new CaeError('ERR_CAE_INTERNAL', {
      what: 'two of the tensors to write have one name',
      where: entries.map(({ name }) => name).join(', '),
    })
  }
  // Not through one object: a name such as "7" would move to the front there.
  const json = Buffer.from(`{${fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`)
  const padded = Math.ceil(json.length / 8) * 8
  const header = Buffer.alloc(8 + padded, ' ')
  header.writeBigUInt64LE(BigInt(padded))
  header.set(json, 8)
  return header
}

async function writeEntry(sink: FileSink, entry: SafetensorsEntry): Promise<void> {
  const data = typeof entry.data === 'function' ? await entry.data() : entry.data
  let bytes = 0
  for await (const { buffer, byteOffset, byteLength } of ArrayBuffer.isView(data) ? [data] : data) {
    await sink.write(new Uint8Array(buffer, byteOffset, byteLength))
    bytes += byteLength
  }
  const wanted = elementCount(entry.shape) * dtypeBytes[entry.dtype]
  if (bytes === wanted) return
  throw new CaeError('ERR_CAE_SHAPE', {
    what: `${entry.name} [${entry.shape.join(', ')}] ${entry.dtype} takes ${wanted} bytes, its data has ${bytes}`,
  })
}

async function readHeader(handle: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await handle.stat()
  if (size < 8) throw refuse(`it has ${size} bytes, not even the length of its header`, path)
  const prefix = Buffer.alloc(8)
  await readExactly(handle, prefix, 0, (reason) => refuse(reason, path))
  const length = prefix.readBigUInt64LE()
  if (length > maxHeaderBytes) throw refuse(`its header would be ${length} bytes long, the format allows ${maxHeaderBytes}`, path)
  const headerBytes = Number(length)
  if (8 + headerBytes > size) throw refuse(`its header would end at byte ${8 + headerBytes}, the file holds ${size}`, path)
  const json = new Uint8Array(headerBytes)
  await readExactly(handle, json, 8, (reason) => refuse(reason, path))
  return parseSafetensorsHeader(json, size - 8 - headerBytes, path)
}
