import { linearAxis, logAxis } from '../../../src/report/figures/axis.js'

const labels = (axis: { ticks: readonly { label: string }[] }): string[] => axis.ticks.map(({ label }) => label)

test.each([
  [0, 980, 8, ['0', '200', '400', '600', '800']],
  [1, 300_000, 8, ['50,000', '100,000', '150,000', '200,000', '250,000', '300,000']],
  [0, 0.0031, 6, ['0', '0.001', '0.002', '0.003']],
  [-1, 1, 4, ['-1.0', '-0.5', '0', '0.5', '1.0']],
  [5, 5, 4, ['5.0']],
])('a linear axis from %d to %d has round marks', (low, high, most, expected) => {
  expect(labels(linearAxis(low, high, most))).toEqual(expected)
})

test.each([
  [0.0008, 0.3, ['0.001', '0.002', '0.005', '0.01', '0.02', '0.05', '0.1', '0.2']],
  [1e-6, 10, ['1e-6', '1e-5', '0.0001', '0.001', '0.01', '0.1', '1', '10']],
  [3, 4000, ['10', '100', '1,000']],
])('a logarithmic axis from %d to %d has marks at 1, 2 and 5, or at tens', (low, high, expected) => {
  expect(labels(logAxis(low, high))).toEqual(expected)
})

test('both ends are at 0 and 1, also when they are one', () => {
  expect([1, 2, 3].map(linearAxis(1, 3, 5).place)).toEqual([0, 0.5, 1])
  expect([1, 10, 100].map(logAxis(1, 100).place)).toEqual([0, 0.5, 1])
  expect(linearAxis(2, 2, 5).place(2)).toBe(0)
  expect(logAxis(2, 2).place(2)).toBe(0)
})
