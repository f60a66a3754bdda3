import { PixelPool } from '../../src/data/pixel-pool.js'

const large = 100_000

test('memory given back is used again, for images of nearly one size too', () => {
  const pool = new PixelPool(1e6)
  const first = pool.take(large)
  expect(first).toHaveLength(large)
  pool.giveBack(first)
  expect(pool.take(large - 50).buffer).toBe(first.buffer)
  expect(pool.take(large).buffer).not.toBe(first.buffer)
})

test('memory is lent to one at a time, however often it is given back', () => {
  const pool = new PixelPool(1e6)
  const pixels = pool.take(large)
  pool.giveBack(pixels)
  pool.giveBack(pixels)
  expect(pool.take(large).buffer).not.toBe(pool.take(large).buffer)
})

test('what somebody keeps, and what is not the pool’s, is never lent', () => {
  const pool = new PixelPool(1e6)
  const kept = pool.take(large)
  pool.keep(kept)
  const foreign = new Uint8Array(large)
  for (const pixels of [kept, foreign]) pool.giveBack(pixels)
  const next = pool.take(large).buffer
  expect([kept.buffer, foreign.buffer]).not.toContain(next)
})

test('holds no more than its limit', () => {
  const pool = new PixelPool(150_000)
  const [a, b] = [pool.take(large), pool.take(large)]
  pool.giveBack(a)
  pool.giveBack(b)
  const again = [pool.take(large).buffer, pool.take(large).buffer]
  expect(again).toContain(a.buffer)
  expect(again).not.toContain(b.buffer)
})
