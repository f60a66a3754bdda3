import { crc32 } from 'node:zlib'

import { CaeError } from '../errors.js'

/** Code in the record of an image that is not what it was. */
const changedCode = 'CHANGED'

/**
 * What the encoded images of a data set were when they were first read: a checksum each, four bytes. Whoever replaces, repairs or cuts a
 * file during a run changes what the run would compute if it were done again, so the new content is not trained on, and is told.
 * Dates and links play no part: a copy of the same bytes is the same image.
 */
export class SeenContent {
  /** By index; 0: not read yet. */
  readonly sums: Uint32Array
  #isChanged = false

  constructor(length: number, earlier?: Uint32Array) {
    this.sums = earlier?.length === length ? earlier : new Uint32Array(length)
  }

  /**
   * Notes an image that is read for the first time, and compares it at each later one.
   * @throws {CaeError} ERR_CAE_BAD_IMAGE when its bytes are others than before
   */
  check(index: number, bytes: Uint8Array, name: string): void {
    const sum = crc32(bytes) || 1
    const before = this.sums[index]
    if (before === sum) return
    if (before === 0) {
      this.sums[index] = sum
      this.#isChanged = true
      return
    }
    const what = 'the image was changed during the run: its bytes are not those that were read first'
    throw new CaeError('ERR_CAE_BAD_IMAGE', { what, where: name }, { cause: Object.assign(new Error(what), { code: changedCode }) })
  }

  /** A bad image's content counts for nothing: once it is repaired, and its record removed, it is new. */
  forget(index: number): void {
    if (this.sums[index] === 0) return
    this.sums[index] = 0
    this.#isChanged = true
  }

  /** Whether `sums` has changed since the last call. */
  takeChanged(): boolean {
    const isChanged = this.#isChanged
    this.#isChanged = false
    return isChanged
  }
}
