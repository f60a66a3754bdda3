import { setImmediate as nextTurn } from 'node:timers/promises'

/** Strings sorted or merged between two turns of the event loop: a few milliseconds. */
const perTurn = 8192

/** Sorts strings by their code units, leaving the event loop free: runs of a few thousand, then merges, with turns between. */
export async function sortStrings(strings: readonly string[]): Promise<readonly string[]> {
  let runs: string[][] = []
  for (let from = 0; from < strings.length; from += perTurn) {
    runs.push(strings.slice(from, from + perTurn).sort())
    if (from > 0) await nextTurn()
  }
  while (runs.length > 1) {
    const merged: string[][] = []
    for (let pair = 0; pair < runs.length; pair += 2) merged.push(await merge(runs[pair] ?? [], runs[pair + 1] ?? []))
    runs = merged
  }
  return runs[0] ?? []
}

async function merge(left: readonly string[], right: readonly string[]): Promise<string[]> {
  const merged: string[] = []
  let l = 0
  let r = 0
  while (l < left.length || r < right.length) {
    const a = left[l]
    const b = right[r]
    if (b === undefined || (a !== undefined && a <= b)) {
      merged.push(a ?? '')
      l++
    } else {
      merged.push(b)
      r++
    }
    if (merged.length % perTurn === 0) await nextTurn()
  }
  return merged
}
