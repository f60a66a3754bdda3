import type { FileHandle } from 'node:fs/promises'

import type { FileValues } from '../native/types.js'
import { type Dtype, dtypeBytes } from './safetensors-header.js'
import { float32From } from './tensor-array.js'

/** Bytes of one read. A multiple of every element size. */
const chunkBytes = 4 << 20
/** Reads of a tensor under way at a time: one alone is a single processor's copy out of the system's cache. */
const readsAtOnce = 4

/** Fills `target` with the bytes that lie `offset` bytes after a tensor's start. */
export type ReadInto = (target: Uint8Array, offset: number) => Promise<void>

/** So many bytes of a tensor, straight into their array; the event loop gets a turn between two reads. */
export async function readBytes(bytes: number, read: ReadInto): Promise<Uint8Array> {
  // Not cleared: a read fills all of it, or the whole of it is thrown away with the error.
  const target = new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer, 0, bytes)
  let next = 0
  const readOn = async () => {
    while (next < bytes) {
      const from = next
      next += chunkBytes
      await read(target.subarray(from, from + chunkBytes), from)
    }
  }
  await Promise.all(Array.from({ length: Math.min(readsAtOnce, Math.ceil(bytes / chunkBytes)) }, readOn))
  return target
}

/** Elements of a file for native code to read; undefined for what are no floating-point numbers. */
export function toFileValues(
  { fd: descriptor }: FileHandle,
  path: string,
  dtype: Dtype,
  count: number,
  position: number,
): FileValues | undefined {
  return isFloat(dtype) ? { descriptor, position, count, dtype, path } : undefined
}

function isFloat(dtype: Dtype): dtype is FileValues['dtype'] {
  return dtype === 'F32' || dtype === 'F64' || dtype === 'F16' || dtype === 'BF16'
}

/** So many elements as float32, F64 rounded to the nearest; undefined for what are no floating-point numbers. */
export async function readFloat32Values(dtype: Dtype, count: number, read: ReadInto): Promise<Float32Array | undefined> {
  if (dtype === 'F32') {
    const { buffer, byteOffset } = await readBytes(4 * count, read)
    return new Float32Array(buffer, byteOffset, count)
  }
  if (!isFloat(dtype)) return undefined
  const data = new Float32Array(count)
  const size = dtypeBytes[dtype]
  const step = chunkBytes / size
  for (let from = 0; from < count; from += step) {
    const bytes = new Uint8Array(Math.min(step, count - from) * size)
    await read(bytes, from * size)
    data.set(float32From(dtype, bytes) ?? [], from)
  }
  return data
}
