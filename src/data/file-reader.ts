import { close, closeSync, constants, fstat, fstatSync, open, openSync, read, readSync, type Stats, statfsSync } from 'node:fs'
import { dirname } from 'node:path'

import { Patience } from './patience.js'
import { Slab } from './slab.js'

/** Larger files are read beside the event loop. */
const smallBytes = 256 * 1024

/** Threads of the pool that reads beside the event loop go through. */
const poolThreads = 4

/** Not to block on open: a pipe would wait for its writer, and hold a thread of the pool for good. */
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** File systems that wait for another machine or process, by the numbers of statfs(2): NFS, SMB, CIFS, FUSE, Ceph, AFS, Lustre, 9P. */
const remoteTypes = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x00c36400, 0x5346414f, 0x0bd00bd0, 0x01021997])

/** What a reader asks of the system, and a test cannot bring about. */
interface FileSystem {
  readBeside(path: string): Promise<Buffer>
  /** The file system's number of statfs(2); 0 where it is not to be had. */
  typeOf(folder: string): number
}

/**
 * Reads whole files, regular ones only. Small ones on a fast disk, or in the system's cache, are read at once: 9 us at 1 KB and 32 us at
 * 200 KB, where a trip through the thread pool costs about 60 us of processor time that training wants. Slow reads or a large file end that
 * for a while, and what lies on another machine is never waited for, so a caller is never held up for long.
 */
export class FileReader {
  readonly #slab = new Slab()
  readonly #patience = new Patience()
  readonly #remote = new Map<string, boolean>()
  /** Reads beside the event loop that have not come back, and when the last one did. */
  #pending = 0
  #lastBack = 0

  /** @param system for tests */
  constructor(readonly system: FileSystem = { readBeside, typeOf }) {}

  /** Whether all threads are held by reads, and none has come back for `ms`: the storage does not answer. */
  isStuck(ms: number): boolean {
    return this.#pending >= poolThreads && performance.now() - this.#lastBack >= ms
  }

  read(path: string): Buffer | Promise<Buffer> {
    if (!this.#patience.mayWait() || this.#isRemote(path)) return this.#readBeside(path)
    const start = performance.now()
    const bytes = readSmall(path, this.#slab)
    this.#patience.waited(performance.now() - start)
    if (bytes !== undefined) return bytes
    this.#patience.lose() // large files come together
    return this.#readBeside(path)
  }

  async #readBeside(path: string): Promise<Buffer> {
    if (this.#pending++ === 0) this.#lastBack = performance.now()
    try {
      return await this.system.readBeside(path)
    } finally {
      this.#pending--
      this.#lastBack = performance.now()
    }
  }

  /** Asked once a folder. */
  #isRemote(path: string): boolean {
    const folder = dirname(path)
    const known = this.#remote.get(folder)
    if (known !== undefined) return known
    const isRemote = remoteTypes.has(this.system.typeOf(folder))
    this.#remote.set(folder, isRemote)
    return isRemote
  }
}

function typeOf(folder: string): number {
  try {
    return statfsSync(folder).type
  } catch {
    return 0 // gone: what reads the file says so
  }
}

/** @throws an error with a code, as the system's have, for anything but a regular file */
function requireRegular(facts: Stats): void {
  if (facts.isFile()) return
  const kind = facts.isDirectory() ? 'a folder' : facts.isFIFO() ? 'a pipe' : facts.isSocket() ? 'a socket' : 'a device'
  const code = facts.isDirectory() ? 'EISDIR' : 'ESPIPE'
  throw Object.assign(new Error(`${code}: this is ${kind}, not a regular file`), { code })
}

/** A small regular file's content, or undefined for a larger one. */
function readSmall(path: string, slab: Slab): Buffer | undefined {
  const file = openSync(path, flags)
  try {
    const facts = fstatSync(file)
    requireRegular(facts)
    if (facts.size > smallBytes) return undefined
    const bytes = slab.take(facts.size)
    const count = readSync(file, bytes, 0, facts.size, 0)
    return count === facts.size ? bytes : undefined // shortened or grown meanwhile: let the other path find out
  } finally {
    closeSync(file)
  }
}

/** Through the callback forms: those of `fs/promises` take three times as long for small files. */
function readBeside(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    open(path, flags, (failure, file) => {
      if (failure) return reject(failure)
      const end = (error: unknown, bytes: Buffer = Buffer.alloc(0)) => close(file, () => (error ? reject(error) : resolve(bytes)))
      fstat(file, (error, facts) => {
        if (error) return end(error)
        try {
          requireRegular(facts)
          readAll(file, Buffer.allocUnsafeSlow(facts.size), 0, end)
        } catch (refused) {
          end(refused)
        }
      })
    })
  })
}

/** Reads until `bytes` is full or the file ends, which may have been shortened since its size was asked for. */
function readAll(file: number, bytes: Buffer, from: number, done: (error: unknown, bytes?: Buffer) => void): void {
  if (from === bytes.length) {
    done(undefined, bytes)
    return
  }
  read(file, bytes, from, bytes.length - from, from, (error, count) => {
    if (error || count === 0) done(error, bytes.subarray(0, from))
    else readAll(file, bytes, from + count, done)
  })
}
