import { appendFile, readFile, truncate } from 'node:fs/promises'

import type { BadImage } from '../data/bad-images.js'
import { outputError, systemCode } from '../io/output-error.js'

/**
 * `bad-images.jsonl`: a line for each image that could not be used, written once whatever the epochs and resumes. There is no file while
 * there is none. Records may come before the run's folder exists. An image with a line stays out of the run, in its later parts too: without
 * that, one that was repaired, or whose server had a bad minute, would make a resumed run another one than the unbroken.
 */
export class BadImageFile {
  private readonly known = new Set<number>()
  private readonly waiting: BadImage[] = []
  private path: string | undefined

  /** Images known to be unusable, in earlier parts of a resumed run too. */
  get count(): number {
    return this.known.size
  }

  /** Notes a bad image. @returns whether it is new */
  add(record: BadImage): boolean {
    if (this.known.has(record.index)) return false
    this.known.add(record.index)
    this.waiting.push(record)
    return true
  }

  /** Takes for known what an earlier part of the run has written to `path`. @throws {CaeError} ERR_CAE_OUTPUT */
  async recall(path: string): Promise<readonly number[]> {
    const { indices } = await readWhole(path)
    for (const index of indices) this.known.add(index)
    return indices
  }

  /** Says where the file is, and takes what it has for known. A last line torn by a kill is cut off. @throws {CaeError} ERR_CAE_OUTPUT */
  async attach(path: string): Promise<void> {
    this.path = path
    const { indices, bytes, whole } = await readWhole(path)
    if (whole < bytes) await truncate(path, whole)
    const written = new Set(indices)
    for (const index of written) this.known.add(index)
    const fresh = this.waiting.filter(({ index }) => !written.has(index))
    this.waiting.splice(0, this.waiting.length, ...fresh)
  }

  /** Writes what has come since. @throws {CaeError} ERR_CAE_OUTPUT */
  async flush(): Promise<void> {
    if (this.path === undefined || this.waiting.length === 0) return
    const lines = this.waiting.splice(0).map((record) => `${JSON.stringify(record)}\n`)
    try {
      await appendFile(this.path, lines.join(''))
    } catch (error) {
      throw outputError(this.path, error)
    }
  }
}

/** The images of all whole lines; the file's size, and that of its whole lines. */
async function readWhole(path: string): Promise<{ readonly indices: readonly number[]; readonly bytes: number; readonly whole: number }> {
  try {
    const bytes = await readFile(path)
    const whole = bytes.lastIndexOf(10) + 1
    const lines = bytes.toString('utf8', 0, whole).split('\n')
    return { indices: lines.filter((line) => line !== '').map((line) => JSON.parse(line).index), bytes: bytes.length, whole }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw outputError(path, error)
    return { indices: [], bytes: 0, whole: 0 }
  }
}
