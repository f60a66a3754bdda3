import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { maskedCrc32c } from '../io/checksum.js'
import { outputError, systemCode } from '../io/output-error.js'

/** A file of TensorBoard in the making: records are kept until `flush` gives them to the system. Appended to only, never read back. */
export interface EventFile {
  readonly path: string
  append(record: Uint8Array): void
  /** @throws {CaeError} ERR_CAE_OUTPUT */
  flush(): Promise<void>
  /** Flushes and closes; a second call does nothing. */
  close(): Promise<void>
}

/**
 * Starts a new event file in `folder`, which is made when it is not there. The name is TensorBoard's convention,
 * `events.out.tfevents.<seconds>.<host>.<process>.<n>`; it always is a file of its own: TensorBoard reads all of a folder's files in order.
 * @throws {CaeError} ERR_CAE_OUTPUT
 */
export async function createEventFile(folder: string, wallTimeMs: number): Promise<EventFile> {
  const { path, handle } = await openNew(folder, wallTimeMs)
  let waiting: Uint8Array[] = []
  let closed = false

  const flush = async (): Promise<void> => {
    if (waiting.length === 0) return
    const bytes = Buffer.concat(waiting)
    waiting = []
    try {
      await handle.appendFile(bytes)
    } catch (error) {
      throw outputError(path, error)
    }
  }
  return {
    path,
    append: (record) => void waiting.push(frame(record)),
    flush,
    async close() {
      if (closed) return
      closed = true
      try {
        await flush()
      } finally {
        await handle.close()
      }
    },
  }
}

async function openNew(folder: string, wallTimeMs: number): Promise<{ path: string; handle: FileHandle }> {
  const stem = join(folder, `events.out.tfevents.${Math.floor(wallTimeMs / 1000)}.${hostname()}.${process.pid}`)
  for (let n = 0; ; n++) {
    const path = `${stem}.${n}`
    try {
      await mkdir(folder, { recursive: true })
      return { path, handle: await open(path, 'ax') }
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw outputError(path, error)
    }
  }
}

/** TFRecord: the length as uint64, its masked CRC-32C, the payload, the payload's masked CRC-32C; all little-endian. */
function frame(payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(12 + payload.byteLength + 4)
  bytes.writeBigUInt64LE(BigInt(payload.byteLength), 0)
  bytes.writeUInt32LE(maskedCrc32c(bytes.subarray(0, 8)), 8)
  bytes.set(payload, 12)
  bytes.writeUInt32LE(maskedCrc32c(payload), 12 + payload.byteLength)
  return bytes
}
