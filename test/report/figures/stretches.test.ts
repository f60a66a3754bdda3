import { rollingMean, stretchesOf } from '../../../src/report/figures/stretches.js'

const points = (values: readonly number[]): { step: number; value: number }[] => values.map((value, at) => ({ step: at + 1, value }))

test('a short curve stays as it is', () => {
  expect(stretchesOf(points([3, 1]), 10)).toEqual([
    { step: 1, mean: 3, low: 3, high: 3 },
    { step: 2, mean: 1, low: 1, high: 1 },
  ])
})

test('a long curve keeps its extremes and means', () => {
  const stretches = stretchesOf(points(Array.from({ length: 1001 }, (_, at) => at)), 100)
  expect(stretches).toHaveLength(100)
  expect(stretches[0]).toEqual({ step: 5, mean: 4.5, low: 0, high: 9 })
  expect(Math.max(...stretches.map(({ high }) => high))).toBe(1000)
})

test('values that are not finite are left out', () => {
  const stretches = stretchesOf(points([1, Number.NaN, 3, Number.POSITIVE_INFINITY]), 10)
  expect(stretches.map(({ step }) => step)).toEqual([1, 3])
  expect(stretchesOf(points([1, Number.NaN, Number.NaN, 3]), 2).map(({ mean }) => mean)).toEqual([1, 3])
})

test('the rolling mean is cut at the ends', () => {
  const means = rollingMean(stretchesOf(points([1, 2, 6, 2, 1]), 10), 3)
  expect(means.map(({ value }) => value)).toEqual([1.5, 3, 10 / 3, 3, 1.5])
  expect(rollingMean(stretchesOf(points([1, 2]), 10), 0).map(({ value }) => value)).toEqual([1, 2])
})
