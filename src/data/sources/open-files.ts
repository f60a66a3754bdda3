import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs'

import { Patience } from '../patience.js'
import { Slab } from '../slab.js'

/** Descriptors kept open by one set of files. */
const mostOpen = 32

/** Shorter pieces may be waited for. */
const smallBytes = 64 * 1024

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
  readonly #patience = new Patience()

  constructor() {
    forgotten.register(this, this.#files)
  }

  /** @throws or rejects with the system's error; when the file is no more as `state` says, or has not so many bytes */
  read(path: string, state: FileState, offset: number, length: number): Buffer | Promise<Buffer> {
    const file = this.#open(path)
    assertSame(file, path, state)
    if (length > smallBytes || !this.#patience.mayWait()) return this.#readBeside(file, path, offset, length)
    const start = performance.now()
    const bytes = this.#slab.take(length)
    const count = readSync(file.descriptor, bytes, 0, length, offset)
    this.#patience.waited(performance.now() - start)
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
