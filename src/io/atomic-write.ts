import { createHash, type Hash, randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { outputError } from './output-error.js'

/** Bytes given to the disk and to the checksum at a time: large enough to be fast, small enough to keep the event loop free. */
const chunkBytes = 1 << 20

/** The disk is told to begin with what was written as soon as it is so much: else it idles until the end, and then all waits for it. */
const syncedBytes = 32 << 20

/** What a file of a manifest is: enough to notice later that it was torn or changed. */
export interface WrittenFile {
  readonly bytes: number
  /** Lower-case hexadecimal. */
  readonly sha256: string
}

/** Where the content of a file goes, piece by piece. */
export interface FileSink {
  write(data: Uint8Array): Promise<void>
}

/** Content of a file: at once, or written piece by piece. */
export type FileContent = string | Uint8Array | ((sink: FileSink) => Promise<void>)

/** Name for a file in the making; `removeUnfinished` of a run folder knows the ones a kill left behind by it. */
export const temporaryMark = '.tmp-'

/** A path beside `path` that no other writer uses. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `${temporaryMark}${basename(path)}-${randomUUID()}`)
}

/**
 * Writes a file so that its name holds either the old content or all of the new, whatever happens: temporary name, fsync, rename, fsync of
 * the folder.
 * @throws {CaeError} ERR_CAE_OUTPUT when it cannot be written; nothing is left behind then
 */
export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  const temporary = temporaryPath(path)
  try {
    await writeNew(temporary, content)
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined) // the first error is the one to tell
    throw outputError(path, error)
  }
}

/**
 * Writes a new file and waits until the disk has it. For files inside a folder that itself appears by a rename, with a manifest of them.
 * @throws {CaeError} ERR_CAE_OUTPUT when it exists or cannot be written
 */
export async function writeFileSynced(path: string, content: FileContent): Promise<WrittenFile> {
  try {
    const hash = createHash('sha256')
    const bytes = await writeNew(path, content, hash)
    return { bytes, sha256: hash.digest('hex') }
  } catch (error) {
    throw outputError(path, error)
  }
}

/** Points the symbolic link `path` at `target` (relative to the link's folder), replacing an older link in one step. */
export async function replaceLink(path: string, target: string): Promise<void> {
  const temporary = temporaryPath(path)
  try {
    await symlink(target, temporary)
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw outputError(path, error)
  }
}

/** Makes earlier renames and creations in `folder` survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // a folder cannot be opened there, and NTFS journals its names
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** @returns how many bytes it has */
async function writeNew(path: string, content: FileContent, hash?: Hash): Promise<number> {
  const file = await open(path, 'wx')
  try {
    const bytes = await fill(file, content, hash)
    await file.sync()
    return bytes
  } finally {
    await file.close()
  }
}

async function fill(file: FileHandle, content: FileContent, hash: Hash | undefined): Promise<number> {
  const disk = new EarlySync(file)
  let bytes = 0
  const sink: FileSink = {
    async write(data) {
      for (let from = 0; from < data.byteLength; from += chunkBytes) {
        const chunk = data.subarray(from, from + chunkBytes)
        const writing = writeAll(file, chunk)
        hash?.update(chunk) // while another thread hands the chunk to the disk
        await writing
        bytes += chunk.byteLength
        disk.wrote(chunk.byteLength)
      }
    },
  }
  try {
    if (typeof content === 'function') await content(sink)
    else await sink.write(typeof content === 'string' ? Buffer.from(content) : content)
  } finally {
    await disk.done()
  }
  return bytes
}

/** Has the disk write what a file holds while more is coming; one call at a time. */
class EarlySync {
  #bytes = 0
  /** The call that the disk is busy with, or the one that failed. */
  #running: Promise<void> | undefined

  constructor(private readonly file: FileHandle) {}

  wrote(bytes: number): void {
    this.#bytes += bytes
    if (this.#running || this.#bytes < syncedBytes) return
    this.#bytes = 0
    this.#running = this.file.datasync().then(() => {
      this.#running = undefined
    })
    this.#running.catch(() => undefined) // told by `done`; no further call is made
  }

  /** @throws the disk's error, which the system tells only once */
  async done(): Promise<void> {
    await this.#running
  }
}

/** `FileHandle.write` may take only a part, on a nearly full disk for one. */
async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.byteLength; ) done += (await file.write(data, done)).bytesWritten
}
