import { loadAddon } from '../../../src/native/load.js'
import { RngStream } from '../../../src/rng.js'

/** Rows of nearly normal numbers: sums of twelve even ones. */
function normalRows(rows: number, width: number, change: (value: number, column: number) => number = (value) => value) {
  const random = new RngStream({ seed: 2, purpose: 'order', time: 0, index: 0 })
  const data = Float32Array.from({ length: rows * width }, (_, at) => {
    let sum = -6
    for (let draw = 0; draw < 12; draw++) sum += random.integer(0, 1 << 20) / (1 << 20)
    return change(sum, at % width)
  })
  return { data, shape: [rows, width] }
}

test('rows in all directions have the standard deviation 1 and nearly full rank', async () => {
  const { std, effectiveRank } = await (await loadAddon()).featureSpread(normalRows(1000, 32))
  expect(std).toBeCloseTo(1, 1)
  expect(effectiveRank).toBeGreaterThan(31)
  expect(effectiveRank).toBeLessThanOrEqual(32)
})

test('rows that are all alike have none, and the rank 1, however long they are', async () => {
  const { std, effectiveRank } = await (await loadAddon()).featureSpread(normalRows(100, 32, (value, column) => column + 1e-4 * value))
  expect(std).toBeLessThan(1e-4)
  expect(effectiveRank).toBeLessThan(1.01)
})

test.each([1, 2, 5])('rows in %i directions have that rank', async (directions) => {
  const rows = {
    data: Float32Array.from({ length: 8 * 30 }, (_, at) => (at % 8 === Math.floor(at / 8) % directions ? 1 : 0)),
    shape: [30, 8],
  }
  const { effectiveRank } = await (await loadAddon()).featureSpread(rows)
  expect(effectiveRank).toBeCloseTo(directions, 6)
})

test('is NaN where a feature is not finite, and refuses what is no matrix', async () => {
  const addon = await loadAddon()
  expect(await addon.featureSpread({ data: Float32Array.of(1, Number.NaN), shape: [2, 1] })).toEqual({
    std: Number.NaN,
    effectiveRank: Number.NaN,
  })
  await expect(addon.featureSpread({ data: new Float32Array(4), shape: [4] })).rejects.toMatchObject({ code: 'ERR_CAE_SHAPE' })
})
