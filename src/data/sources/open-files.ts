import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs'

import { Slab } from '../slab.js'

/** Descriptors kept open by one set of files. */
const mostOpen = 32

/** Shorter pieces are read at once: a few microseconds, where a trip through the thread pool costs about 60. */
const smallBytes = 64 * 1024

/** Reads that block longer than this on average show a disk too slow to wait for. */
const slowMs = 0.5

/** Reads that the average goes over, roughly. */
const averagedReads = 64

/** Reads beside the event loop before waiting is tried again. */
const patience = 256

interface OpenFile {
  readonly descriptor: number
  /** Reads in flight: it may not be closed meanwhile. */
  readers: number
}

/** What tells that a file is still the one that was looked at. */
export interface FileState {
  readonly size: number
  readonly mtimeMs: number
}

/** Closes the files of sets that nobody holds any more. */
const forgotten = new FinalizationRegistry((files: Map<string, OpenFile>) => {
  for (const { descriptor } of files.values()) closeSync(descriptor)
})

/** Reads pieces of files, and keeps the files last used open: a set of a thousand shards must not need a thousand descriptors. */
export class OpenFiles {
  /** The one longest unused first. */
  readonly #files = new Map<string, OpenFile>()
  readonly #slab = new Slab()
  #besideLeft = 0
  #averageMs = 0

  constructor() {
    forgotten.register(this, this.#files)
  }

  /** @throws or rejects with the system's error; when the file is no more as `state` says, or has not so many bytes */
  read(path: string, state: FileState, offset: number, length: number): Buffer | Promise<Buffer> {
    const isSmall = length <= smallBytes
    const file = this.#open(path)
    assertSame(file, path, state)
    if (!isSmall || this.#besideLeft > 0) {
      if (isSmall) this.#besideLeft--
      return this.#readBeside(file, path, offset, length)
    }
    const start = performance.now()
    const bytes = this.#slab.take(length)
    const count = readSync(file.descriptor, bytes, 0, length, offset)
    this.#averageMs += (performance.now() - start - this.#averageMs) / averagedReads
    if (this.#averageMs > slowMs) {
      this.#besideLeft = patience
      this.#averageMs = 0
    }
    return whole(bytes, count, path)
  }

  #readBeside(file: OpenFile, path: string, offset: number, length: number): Promise<Buffer> {
    file.readers++
    const bytes = Buffer.allocUnsafeSlow(length)
    return new Promise<number>((resolve, reject) => {
      read(file.descriptor, bytes, 0, length, offset, (error, count) => (error === null ? resolve(count) : reject(error)))
    })
      .then((count) => whole(bytes, count, path))
      .finally(() => file.readers--)
  }

  #open(path: string): OpenFile {
    const known = this.#files.get(path)
    if (known !== undefined) {
      this.#files.delete(path)
      this.#files.set(path, known) // now the one last used
      return known
    }
    for (const [oldest, { descriptor, readers }] of this.#files) {
      if (this.#files.size < mostOpen) break
      if (readers > 0) continue
      this.#files.delete(oldest)
      closeSync(descriptor)
    }
    const file = { descriptor: openSync(path, 'r'), readers: 0 }
    this.#files.set(path, file)
    return file
  }
}

/** Asked at every read, 2 us: bytes of another file's image would be worse than none. */
function assertSame({ descriptor }: OpenFile, path: string, state: FileState): void {
  const { size, mtimeMs } = fstatSync(descriptor)
  if (size !== state.size || mtimeMs !== state.mtimeMs) throw new Error(`${path} has changed since it was opened`)
}

function whole(bytes: Buffer, count: number, path: string): Buffer {
  if (count === bytes.length) return bytes
  throw new Error(`${path} ends early: ${count} of ${bytes.length} bytes were there`)
}
