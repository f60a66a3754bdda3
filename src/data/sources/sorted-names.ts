import { setImmediate as nextTurn } from 'node:timers/promises'

import { PackedStrings } from '../packed-strings.js'

/** Names sorted or merged between two turns of the event loop: a few milliseconds. */
const perTurn = 8192

/** The next name of a sorted run. */
interface Head {
  readonly name: string
  readonly run: PackedStrings
  readonly at: number
}

/**
 * Takes names in any order and gives them sorted by their code units, leaving the event loop free. Runs of some thousand are sorted as they fill and
 * packed, then merged: a million names never are a million objects.
 */
export class SortedNames {
  #run: string[] = []
  readonly #packed: PackedStrings[] = []

  add(name: string): void {
    this.#run.push(name)
    if (this.#run.length < perTurn) return
    this.#packed.push(pack(this.#run.sort()))
    this.#run = []
  }

  /** All names, some thousand at a time with turns of the event loop between. Once, after the last `add`. */
  async *inOrder(): AsyncGenerator<readonly string[]> {
    if (this.#packed.length === 0) {
      if (this.#run.length > 0) yield this.#run.sort()
      return
    }
    const heap = new Heap([...this.#packed, pack(this.#run.sort())])
    for (let names = heap.take(perTurn); names.length > 0; names = heap.take(perTurn)) {
      yield names
      await nextTurn()
    }
  }
}

function pack(names: readonly string[]): PackedStrings {
  const packed = new PackedStrings()
  for (const name of names) packed.push(name)
  return packed
}

/** The heads of sorted runs; a parent (place `i`) is never after its children (`2i + 1`, `2i + 2`). */
class Heap {
  readonly #heads: Head[] = []

  constructor(runs: readonly PackedStrings[]) {
    for (const run of runs) {
      const name = run.at(0)
      if (name !== undefined) this.#heads.push({ name, run, at: 0 })
    }
    this.#heads.sort((a, b) => (a.name < b.name ? -1 : 1)) // a sorted list is a heap
  }

  /** The next `count` names, or as many as there are. */
  take(count: number): string[] {
    const names: string[] = []
    for (let head = this.#heads[0]; head !== undefined && names.length < count; head = this.#heads[0]) {
      names.push(head.name)
      this.#replaceFirst(head)
    }
    return names
  }

  #replaceFirst({ run, at }: Head): void {
    const name = run.at(at + 1)
    const next = name === undefined ? this.#heads.pop() : { name, run, at: at + 1 }
    if (next !== undefined && this.#heads.length > 0) this.#sink(next)
  }

  /** Puts a head into the place of the first, and down to where it belongs. */
  #sink(head: Head): void {
    const heads = this.#heads
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      const [left, right] = [heads[child], heads[child + 1]]
      if (left === undefined) break
      const smaller = right !== undefined && right.name < left.name ? right : left
      if (head.name <= smaller.name) break
      if (smaller === right) child++
      heads[place] = smaller
      place = child
    }
    heads[place] = head
  }
}
