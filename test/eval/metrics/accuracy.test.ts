import { bestClasses, countRight } from '../../../src/eval/metrics/accuracy.js'

const scores = { data: Float32Array.of(0.1, 0.9, 0.5, /**/ 3, 2, 1, /**/ 7, 7, 7), classes: 3 }

test.each([
  { labels: [1, 0, 0], top: 1, right: 3 },
  { labels: [2, 1, 1], top: 1, right: 0 },
  { labels: [2, 1, 1], top: 2, right: 3 },
  { labels: [0, 2, 2], top: 2, right: 0 }, // of equal scores the lower class comes first
  { labels: [0, 2, 2], top: 5, right: 3 },
])('counts labels among the best: %j', ({ labels, top, right }) => {
  expect(countRight(scores, Int32Array.from(labels), top)).toBe(right)
})

test('a row that holds no numbers is wrong', () => {
  expect(countRight({ data: Float32Array.of(Number.NaN, Number.NaN), classes: 2 }, Int32Array.of(0), 1)).toBe(0)
})

test('the best class of a row is the first of equal ones', () => {
  expect([...bestClasses(scores)]).toEqual([1, 0, 0])
})
