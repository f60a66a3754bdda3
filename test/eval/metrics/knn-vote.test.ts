import { weightedVotes } from '../../../src/eval/metrics/knn-vote.js'

const neighbors = {
  indices: { data: Int32Array.of(2, 0, 1), shape: [1, 3] },
  similarities: { data: Float32Array.of(0.5, 0.25, 0.25), shape: [1, 3] },
}
const labels = Int32Array.of(1, 1, 0)

test('a class gets the sum of its neighbours, each by its similarity', () => {
  const { data } = weightedVotes(neighbors, labels, { k: 3, temperature: 0.25, classes: 3 })
  expect([...data]).toEqual([1, 2 * Math.exp(-1), 0])
})

test('only the k nearest vote', () => {
  expect([...weightedVotes(neighbors, labels, { k: 1, temperature: 0.25, classes: 2 }).data]).toEqual([1, 0])
})

test('stays finite at temperatures where plain exponentials overflow', () => {
  expect([...weightedVotes(neighbors, labels, { k: 3, temperature: 1e-4, classes: 2 }).data]).toEqual([1, 0])
})
