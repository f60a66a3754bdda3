import { type FileHandle, open } from 'node:fs/promises'

import { CaeError } from '../errors.js'
import { messageOf, systemCode } from './output-error.js'

/** Makes the error for a file that is not what it should be, from the reason. */
export type Refuse = (reason: string, cause?: unknown) => CaeError

/**
 * Opens a file of weights and reads its head with `read`, which keeps the handle when it succeeds.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is no such file or it cannot be read; what `read` throws. The file is closed then
 */
export async function openInput<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    throw unreadable(path, error)
  }
  try {
    return await read(file)
  } catch (error) {
    await file.close()
    throw systemCode(error) === undefined ? error : unreadable(path, error)
  }
}

/** Up to `bytes` bytes from `position` on; fewer where the file ends. */
export async function readAt(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const target = Buffer.alloc(bytes)
  return target.subarray(0, await fill(file, target, position))
}

/** Fills `target` from `position` on; the error of `refuse` when the file ends before. */
export async function readExactly(file: FileHandle, target: Uint8Array, position: number, refuse: Refuse): Promise<void> {
  const done = await fill(file, target, position)
  if (done < target.byteLength) throw refuse(`it ends at byte ${position + done}: it was cut short`)
}

async function fill(file: FileHandle, target: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < target.byteLength) {
    const { bytesRead } = await file.read(target, done, target.byteLength - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

function unreadable(path: string, error: unknown): CaeError {
  const what = systemCode(error) === 'ENOENT' ? 'there is no such file' : `cannot read: ${messageOf(error)}`
  return new CaeError('ERR_CAE_CHECKPOINT', { what, where: path }, { cause: error })
}
