import { type Dtype, dtypeBytes } from './safetensors-header.js'
import { float32From } from './tensor-array.js'

/** Bytes read at a time: the event loop gets a turn between two of them. A multiple of every element size. */
const chunkBytes = 4 << 20

/** Fills `target` with the bytes that lie `offset` bytes after a tensor's start. */
export type ReadInto = (target: Uint8Array, offset: number) => Promise<void>

/** So many bytes of a tensor, straight into their array. */
export async function readBytes(bytes: number, read: ReadInto): Promise<Uint8Array> {
  const target = new Uint8Array(bytes)
  for (let from = 0; from < bytes; from += chunkBytes) await read(target.subarray(from, from + chunkBytes), from)
  return target
}

/** So many elements as float32, F64 rounded to the nearest; undefined for what are no floating-point numbers. */
export async function readFloat32Values(dtype: Dtype, count: number, read: ReadInto): Promise<Float32Array | undefined> {
  if (dtype === 'F32') return new Float32Array((await readBytes(4 * count, read)).buffer)
  if (!float32From(dtype, new Uint8Array())) return undefined
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
