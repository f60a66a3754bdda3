import type { Neighbors } from '../../native/types.js'
import type { Scores } from './accuracy.js'

/**
 * Votes of the `k` nearest neighbours of every query: a class gets the sum of exp(similarity / temperature) over its neighbours
 * (spec/downstream.md 2.3). Every row is divided by its greatest term, which changes no ranking and keeps low temperatures finite.
 * @param neighbors at least `k` a query, best first
 * @param labels class of every row of the bank
 */
export function weightedVotes(
  { indices, similarities }: Neighbors,
  labels: Int32Array,
  { k, temperature, classes }: { readonly k: number; readonly temperature: number; readonly classes: number },
): Scores {
  const [queries = 0, found = 0] = indices.shape
  const data = new Float64Array(queries * classes)
  for (let query = 0; query < queries; query++) {
    const nearest = similarities.data[query * found] ?? 0
    for (let neighbor = 0; neighbor < k; neighbor++) {
      const at = query * found + neighbor
      const label = labels[indices.data[at] ?? 0] ?? 0
      const cell = query * classes + label
      data[cell] = (data[cell] ?? 0) + Math.exp(((similarities.data[at] ?? 0) - nearest) / temperature)
    }
  }
  return { data, classes }
}
