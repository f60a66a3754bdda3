import { CaeError } from '../../errors.js'

/** Parts of a data set one after the other, such as shards: finds the part that holds a place. */
export class Runs<Part> {
  /** First place of each part. */
  readonly #starts: Float64Array
  readonly length: number

  constructor(
    readonly parts: readonly Part[],
    lengthOf: (part: Part) => number,
  ) {
    this.#starts = new Float64Array(parts.length)
    let length = 0
    parts.forEach((part, at) => {
      this.#starts[at] = length
      length += lengthOf(part)
    })
    this.length = length
  }

  /** @throws {CaeError} ERR_CAE_DATA outside */
  find(place: number): { readonly part: Part; readonly index: number; readonly at: number } {
    if (!(Number.isInteger(place) && place >= 0 && place < this.length)) {
      throw new CaeError('ERR_CAE_DATA', { what: `image ${place} asked of a set of ${this.length}`, todo: `use 0 to ${this.length - 1}` })
    }
    const index = lastNotAbove(this.#starts, place)
    const part = this.parts[index]
    if (part === undefined) throw new CaeError('ERR_CAE_INTERNAL', { what: `no part holds place ${place}` })
    return { part, index, at: place - (this.#starts[index] ?? 0) }
  }
}

/** Index of the last entry that is not above `value`, in rising order. */
export function lastNotAbove(rising: Float64Array, value: number): number {
  let [low, high] = [0, rising.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((rising[middle] ?? 0) <= value) low = middle
    else high = middle - 1
  }
  return low
}
