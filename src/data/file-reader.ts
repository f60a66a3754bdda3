import { closeSync, constants, fstatSync, openSync, readFile, readSync } from 'node:fs'

import { Slab } from './slab.js'

/** Larger files are read beside the event loop. */
const smallBytes = 64 * 1024

/** Reads that block longer than this on average show a disk too slow to wait for. One long wait alone may be the scheduler's. */
const slowMs = 0.5

/** Reads that the average goes over, roughly. */
const averagedReads = 64

/** Files read beside the event loop before waiting is tried again. */
const patience = 256

/**
 * Reads whole files. Small ones on a fast disk, or in the system's cache, are read at once: 9 us, where a trip through the thread pool costs
 * about 60 us of processor time that training wants. Slow reads or a large file end that for a while, so a caller is never held up for long.
 */
export class FileReader {
  readonly #slab = new Slab()
  #besideLeft = 0
  #averageMs = 0

  read(path: string): Buffer | Promise<Buffer> {
    if (this.#besideLeft > 0) {
      this.#besideLeft--
      return readBeside(path)
    }
    const start = performance.now()
    const bytes = readSmall(path, this.#slab)
    this.#averageMs += (performance.now() - start - this.#averageMs) / averagedReads
    if (bytes === undefined || this.#averageMs > slowMs) {
      this.#besideLeft = patience
      this.#averageMs = 0
    }
    return bytes ?? readBeside(path)
  }
}

/** A small regular file's content, or undefined for anything else. Not to block: a pipe would wait for its writer. */
function readSmall(path: string, slab: Slab): Buffer | undefined {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const facts = fstatSync(file)
    if (!facts.isFile() || facts.size > smallBytes) return undefined
    const bytes = slab.take(facts.size)
    const read = readSync(file, bytes, 0, facts.size, 0)
    return read === facts.size ? bytes : undefined // shortened or grown meanwhile: let the other path find out
  } finally {
    closeSync(file)
  }
}

/** Through the callback form: that of `fs/promises` takes three times as long for small files. */
function readBeside(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    readFile(path, (error, bytes) => (error === null ? resolve(bytes) : reject(error)))
  })
}
