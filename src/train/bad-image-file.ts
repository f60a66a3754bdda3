import { appendFile, readFile, truncate } from 'node:fs/promises'

import type { BadImage } from '../data/bad-images.js'
import { outputError, systemCode } from '../io/output-error.js'

/**
 * `bad-images.jsonl`: a line for each image that could not be used, written once whatever the epochs and resumes. There is no file while
 * there is none. Records may come before the run's folder exists.
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

  /** Says where the file is, and takes what it has for known. A last line torn by a kill is cut off. @throws {CaeError} ERR_CAE_OUTPUT */
  async attach(path: string): Promise<void> {
    this.path = path
    const written = new Set<number>()
    try {
      const bytes = await readFile(path)
      const whole = bytes.lastIndexOf(10) + 1
      for (const line of bytes.toString('utf8', 0, whole).split('\n')) if (line !== '') written.add(JSON.parse(line).index)
      if (whole < bytes.length) await truncate(path, whole)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw outputError(path, error)
    }
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
