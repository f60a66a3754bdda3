import { type Dtype, dtypeBytes } from './safetensors-header.js'
import { float32From } from './tensor-array.js'

/** Bytes of one read. A multiple of every element size. */
const chunkBytes = 4 << 20
/** Reads of a tensor under way at a time: one alone is a single processor's copy out of the system's cache. */
const readsAtOnce = 4

/** Fills `target` with the bytes that lie `offset` bytes after a tensor's start. */
export type ReadInto = (target: Uint8Array, offset: number) => Promise<void>

/**
 * Memory for a few tensors at a time, and after `clear` for the next ones. Fresh memory costs more than the copy into it, as the system clears
 * every page first, and what is left over waits for the collector.
 */
export class Scratch {
  readonly #buffer: Uint8Array
  #used = 0

  /** @param bytes what the tensors of one time may take; more of them come in memory of their own */
  constructor(bytes: number) {
    this.#buffer = fresh(bytes)
  }

  /** So many bytes, of any content. */
  take(bytes: number): Uint8Array {
    const start = this.#used
    if (start + bytes > this.#buffer.length) return fresh(bytes)
    this.#used = start + 8 * Math.ceil(bytes / 8)
    return this.#buffer.subarray(start, start + bytes)
  }

  /** Gives up all that was taken. */
  clear(): void {
    this.#used = 0
  }
}

/** So many bytes of a tensor, straight into their array; the event loop gets a turn between two reads. */
export async function readBytes(bytes: number, read: ReadInto, scratch?: Scratch): Promise<Uint8Array> {
  const target = scratch?.take(bytes) ?? fresh(bytes)
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

/** Memory that is not cleared: a read fills all of it, or the whole of it is thrown away with the error. */
function fresh(bytes: number): Uint8Array {
  const { buffer } = Buffer.allocUnsafeSlow(bytes)
  return new Uint8Array(buffer, 0, bytes)
}

/** So many elements as float32, F64 rounded to the nearest; undefined for what are no floating-point numbers. */
export async function readFloat32Values(dtype: Dtype, count: number, read: ReadInto, scratch?: Scratch): Promise<Float32Array | undefined> {
  if (dtype === 'F32') {
    const { buffer, byteOffset } = await readBytes(4 * count, read, scratch)
    return new Float32Array(buffer, byteOffset, count)
  }
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
