import type { Addon } from '../../../src/native/addon.js'
import { loadAddon } from '../../../src/native/load.js'
import { type Purpose, purposes, RngStream } from '../../../src/rng.js'

let addon: Addon
beforeAll(async () => {
  addon = await loadAddon()
})

test('counts and mixes as Philox 4x32-10 does', () => {
  // Known answer of Random123 (D. E. Shaw Research), file kat_vectors: counter and key all zero.
  const [a, b, c, d] = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] as const
  const number = (high: number, low: number) => ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
  expect([...addon.randomNumbers(0, 0, 0, 0, 2)]).toEqual([number(a, b), number(c, d)])
})

test('draws the numbers that TypeScript draws, for every purpose and for names of any size', () => {
  for (const purpose of Object.keys(purposes) as Purpose[]) {
    for (const [seed, time, index] of [
      [0, 0, 0],
      [1, 2, 3],
      [2 ** 53 - 1, 2 ** 32 - 1, 2 ** 32 - 1],
      [2 ** 40 + 7, 90, 1_281_166],
    ] as const) {
      const stream = new RngStream({ seed, purpose, time, index })
      const wanted = Array.from({ length: 9 }, () => stream.uniform())
      expect([...addon.randomNumbers(seed, purposes[purpose], time, index, 9)]).toEqual(wanted)
    }
  }
})

test.each([
  ['seed', [-1, 1, 0, 0, 1]],
  ['seed', [2 ** 53, 1, 0, 0, 1]],
  ['time', [0, 1, 2 ** 32, 0, 1]],
  ['index', [0, 1, 0, 0.5, 1]],
] as const)('refuses a %s that names no stream', (name, [seed, purpose, time, index, count]) => {
  expect(() => addon.randomNumbers(seed, purpose, time, index, count)).toThrow(
    expect.objectContaining({ code: 'ERR_CAE_OPTION', message: expect.stringContaining(name) }),
  )
})
