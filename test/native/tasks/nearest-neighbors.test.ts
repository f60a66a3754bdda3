import type { Addon } from '../../../src/native/addon.js'
import { loadAddon } from '../../../src/native/load.js'
import type { F32Tensor } from '../../../src/native/types.js'
import { RngStream } from '../../../src/rng.js'

let addon: Addon
beforeAll(async () => {
  addon = await loadAddon()
})

/** Small whole numbers: every dot product is exact, and many of them are equal. */
function wholeNumbers(rows: number, columns: number, seed: number): F32Tensor {
  const random = new RngStream({ seed, purpose: 'order', time: 0, index: 0 })
  return { data: Float32Array.from({ length: rows * columns }, () => random.integer(-2, 2)), shape: [rows, columns] }
}

function plainSearch(bank: F32Tensor, queries: F32Tensor, k: number) {
  const [rows = 0, columns = 0] = bank.shape
  const [count = 0] = queries.shape
  const dot = (q: number, r: number) => {
    let sum = 0
    for (let c = 0; c < columns; c++) sum += (queries.data[q * columns + c] ?? 0) * (bank.data[r * columns + c] ?? 0)
    return sum
  }
  return Array.from({ length: count }, (_, q) =>
    Array.from({ length: rows }, (_, r) => ({ r, s: dot(q, r) }))
      .sort((a, b) => b.s - a.s || a.r - b.r)
      .slice(0, k),
  )
}

test.each([
  { rows: 1, queries: 1, columns: 1, k: 1 },
  { rows: 7, queries: 300, columns: 3, k: 7 },
  { rows: 20_000, queries: 3, columns: 4, k: 50 }, // more rows than a block
  { rows: 100, queries: 5, columns: 6, k: 20 },
])('finds the nearest rows, equal ones in their order: %j', async ({ rows, queries, columns, k }) => {
  const bank = wholeNumbers(rows, columns, 1)
  const asked = wholeNumbers(queries, columns, 2)
  const { indices, similarities } = await addon.nearestNeighbors(bank, asked, k)
  const wanted = plainSearch(bank, asked, k).flat()
  expect(indices.shape).toEqual([queries, k])
  expect([...indices.data]).toEqual(wanted.map(({ r }) => r))
  expect([...similarities.data]).toEqual(wanted.map(({ s }) => s))
})

test('reads a part of an array where it lies', async () => {
  const all = Float32Array.of(9, 9, 1, 0, 0, 1)
  const { indices } = await addon.nearestNeighbors(
    { data: all.subarray(2), shape: [2, 2] },
    { data: Float32Array.of(0, 1), shape: [1, 2] },
    2,
  )
  expect([...indices.data]).toEqual([1, 0])
})

test.each([
  { bank: [4, 2], queries: [1, 2], k: 5, code: 'ERR_CAE_OPTION', says: 'k is 5, the bank has 4 rows' },
  { bank: [4, 2], queries: [1, 2], k: 0, code: 'ERR_CAE_OPTION', says: 'k is 0' },
  { bank: [4, 2], queries: [1, 3], k: 1, code: 'ERR_CAE_SHAPE', says: '[1, 3]' },
])('refuses %j', async ({ bank, queries, k, code, says }) => {
  const zeros = (shape: number[]) => ({ data: new Float32Array(shape.reduce((a, b) => a * b)), shape })
  await expect(addon.nearestNeighbors(zeros(bank), zeros(queries), k)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(says),
  })
})
