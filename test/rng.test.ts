import { loadAddon } from '../src/native/load.js'
import { type Purpose, philox, purposes, RngStream } from '../src/rng.js'

// Known answers of Random123 (D. E. Shaw Research), file kat_vectors, philox4x32 with 10 rounds.
test.each([
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
])('philox of counter %j under key %j', (counter, key, expected) => {
  const out = new Uint32Array(4)
  philox(Uint32Array.from(counter), Uint32Array.from(key), out)
  expect([...out]).toEqual(expected)
})

test('draws 53-bit numbers from two words each, block after block', () => {
  const words = new Uint32Array(4)
  const stream = new RngStream({ seed: 2 ** 40 + 7, purpose: 'mask', time: 3, index: 5 })
  for (const block of [0, 1]) {
    philox(Uint32Array.of(block, 5, 3, 4), Uint32Array.of(7, 2 ** 8), words)
    const [a = 0, b = 0, c = 0, d = 0] = words
    for (const [high, low] of [
      [a, b],
      [c, d],
    ] as const)
      expect(stream.uniform()).toBe(((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53)
  }
})

test('whole numbers keep to both ends and reach them', () => {
  const stream = new RngStream({ seed: 1, purpose: 'order', time: 0, index: 0 })
  const seen = new Set(Array.from({ length: 200 }, () => stream.integer(-1, 3)))
  expect([...seen].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2, 3])
})

test('no two of seed, purpose, time and index share a stream', () => {
  const first = (seed: number, purpose: 'crop' | 'flip', time: number, index: number) =>
    new RngStream({ seed, purpose, time, index }).uniform()
  const draws = [
    first(1, 'crop', 2, 3),
    first(2 ** 32 + 1, 'crop', 2, 3),
    first(1, 'flip', 2, 3),
    first(1, 'crop', 3, 2),
    first(1, 'crop', 2, 4),
  ]
  expect(new Set(draws).size).toBe(draws.length)
})

test('C++ and TypeScript draw the same numbers for the same names', async () => {
  const addon = await loadAddon()
  const names = Object.keys(purposes) as Purpose[]
  const seeds = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]
  for (const [at, seed] of seeds.entries()) {
    for (const purpose of names) {
      const [time, index] = [at * 1_000_003, 2 ** 32 - 1 - at]
      const stream = new RngStream({ seed, purpose, time, index })
      const drawn = Float64Array.from({ length: 9 }, () => stream.uniform())
      expect(addon.randomNumbers(seed, purposes[purpose], time, index, 9)).toEqual(drawn)
    }
  }
})
