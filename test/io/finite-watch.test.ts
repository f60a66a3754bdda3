import { countNonFinite, FiniteWatch } from '../../src/io/finite-watch.js'

test.each([
  [[], 0],
  [[1, -2, 3e38, 0, -0, 1e-45, 7], 0],
  [[Number.NaN], 1],
  [[1, 2, 3, 4, 5, Number.NEGATIVE_INFINITY], 1],
  [[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, 2], 2],
  [[1, Number.NaN, Number.POSITIVE_INFINITY, 2, 3, Number.NaN, Number.NaN], 4],
])('counts in %p %i values that are not finite', (values, count) => {
  expect(countNonFinite(Float32Array.from(values))).toBe(count)
})

test('finds one of any bits at any place, also behind an offset', () => {
  for (let length = 1; length < 14; length++) {
    for (let at = 0; at < length; at++) {
      for (const bits of [0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff, 0x7f800001]) {
        const words = new Uint32Array(length + 1)
        words[at + 1] = bits
        expect(countNonFinite(new Float32Array(words.buffer, 4, length))).toBe(1)
      }
    }
  }
})

test('says nothing where all is well, and one sentence otherwise', () => {
  const watch = new FiniteWatch()
  watch.note('a', Float32Array.of(1, 2))
  expect(watch.warnings).toEqual([])
  for (const name of 'bcdefgh') watch.note(name, Float32Array.of(Number.NaN, 2))
  expect(watch.warnings).toEqual([expect.stringMatching(/: 1 of b, 1 of c, 1 of d, 1 of e, 1 of f and those of 2 more tensors;/)])
})
