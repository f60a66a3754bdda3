import { readFileSync } from 'node:fs'

import type { Addon } from '../../../src/native/addon.js'
import { loadAddon } from '../../../src/native/load.js'
import type { MaskSpec, U8Tensor } from '../../../src/native/types.js'
import { RngStream } from '../../../src/rng.js'
import { sharedFile } from '../../support/shared-data.js'

let addon: Addon
beforeAll(async () => {
  addon = await loadAddon()
})

function spec(changes: Partial<MaskSpec> = {}): MaskSpec {
  return { shape: 'block', gridHeight: 14, gridWidth: 14, count: 98, minBlock: 16, maxBlock: 0, ...changes }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

/** Hidden patches of each mask. */
function counts({ data, shape: [masks = 0, patches = 0] }: U8Tensor): number[] {
  return upTo(masks).map((i) => data.subarray(i * patches, (i + 1) * patches).reduce((sum, hidden) => sum + hidden, 0))
}

/** In how many of the masks each patch is hidden, as a share. */
function shares({ data, shape: [masks = 0, patches = 0] }: U8Tensor): Float64Array {
  const sums = new Float64Array(patches)
  for (let i = 0; i < data.length; i++) sums[i % patches] = (sums[i % patches] ?? 0) + (data[i] ?? 0) / masks
  return sums
}

interface ReplayedMask {
  readonly grid: readonly [number, number]
  readonly num_mask: number
  readonly min_patches: number
  readonly max_patches: number | null
  readonly draws: readonly (readonly [string, number, number, number])[]
  readonly mask: readonly string[]
}

interface MaskStatistics {
  readonly grid: readonly [number, number]
  readonly num_mask: number
  readonly min_patches: number
  readonly masks: number
  readonly prob: readonly (readonly number[])[]
}

const replay = sharedFile('golden/cae_replay.json')
const statistics = sharedFile('golden/cae_mask_stats.json')

;(replay === undefined ? test.skip : test)('makes the mask that the reference makes of the same draws', () => {
  const { masks } = JSON.parse(readFileSync(replay ?? '', 'utf8')) as { masks: ReplayedMask[] }
  expect(masks).toHaveLength(4)
  for (const { grid, num_mask, min_patches, max_patches, draws, mask } of masks) {
    const given = spec({ gridHeight: grid[0], gridWidth: grid[1], count: num_mask, minBlock: min_patches, maxBlock: max_patches ?? 0 })
    const values = Float64Array.from(draws, ([, , , value]) => value)
    expect(addon.replayMask(given, values).data.join('')).toBe(mask.join(''))
    expect(() => addon.replayMask(given, values.subarray(1))).toThrow(/recorded draws/)
  }
})

;(statistics === undefined ? test.skip : test)(
  'hides each patch as often as the reference, the middle far more than the border',
  async () => {
    const { cases } = JSON.parse(readFileSync(statistics ?? '', 'utf8')) as { cases: MaskStatistics[] }
    expect(cases).toHaveLength(4)
    for (const { grid, num_mask, min_patches, masks, prob } of cases) {
      const given = spec({ gridHeight: grid[0], gridWidth: grid[1], count: num_mask, minBlock: min_patches })
      const drawn = shares(await addon.drawMasks(given, 1, 0, upTo(masks)))
      const wanted = prob.flat()
      // Both sides are means of as many draws: the standard error of their difference.
      const errors = wanted.map((p, i) => Math.abs((drawn[i] ?? 0) - p) / Math.sqrt((2 * p * (1 - p)) / masks))
      expect(Math.max(...errors)).toBeLessThan(4)
    }
  },
)

test('hides exactly the asked number of patches, on any grid and in either shape', async () => {
  const random = new RngStream({ seed: 5, purpose: 'jitter', time: 0, index: 0 })
  for (let i = 0; i < 100; i++) {
    const [gridHeight, gridWidth] = [random.integer(2, 16), random.integer(2, 16)]
    const count = random.integer(0, gridHeight * gridWidth)
    const minBlock = random.integer(1, 4)
    for (const shape of ['block', 'random'] as const) {
      const given = spec({ shape, gridHeight, gridWidth, count, minBlock, maxBlock: random.integer(0, 1) * random.integer(minBlock, 40) })
      const masks = await addon.drawMasks(given, i, 0, [0, 1, 2])
      expect({ given, shape: masks.shape, counts: counts(masks), values: masks.data.every((hidden) => hidden <= 1) }).toEqual({
        given,
        shape: [3, gridHeight * gridWidth],
        counts: [count, count, count],
        values: true,
      })
    }
  }
})

test('a random mask hides every patch equally often', async () => {
  const masks = 20_000
  const drawn = shares(await addon.drawMasks(spec({ shape: 'random', gridHeight: 6, gridWidth: 5, count: 9 }), 3, 0, upTo(masks)))
  const standardError = Math.sqrt((0.3 * 0.7) / masks)
  expect(Math.max(...drawn.map((p) => Math.abs(p - 0.3)))).toBeLessThan(4 * standardError)
})

test('depends on seed, epoch and index, not on which masks are drawn together', async () => {
  const together = await addon.drawMasks(spec(), 7, 3, [0, 1, 2, 900])
  const alone = await addon.drawMasks(spec(), 7, 3, [900])
  expect([...alone.data]).toEqual([...together.data.subarray(3 * 196)])
  for (const [seed, epoch] of [
    [8, 3],
    [7, 4],
  ] as const) {
    expect((await addon.drawMasks(spec(), seed, epoch, [900])).data).not.toEqual(alone.data)
  }
})

test.each([
  ['more patches than there are', { count: 197 }, /maskCount 197/],
  ['blocks on a grid of one row', { gridHeight: 1, count: 3 }, /no block mask hides 3 of 1 x 14/],
  ['blocks on a grid of one column', { gridWidth: 1, count: 3 }, /no block mask hides 3 of 14 x 1/],
  ['blocks that are far too large', { gridHeight: 2, count: 28, minBlock: 5000 }, /no block mask/],
] as const)('refuses %s instead of looking for ever', async (_, changes, message) => {
  const drawn = (async () => addon.drawMasks(spec(changes), 0, 0, [0]))()
  await expect(drawn).rejects.toMatchObject({ code: 'ERR_CAE_OPTION', message: expect.stringMatching(message) })
})
