import { ImageCache } from '../../src/data/cache.js'

const image = (bytes: number) => ({ data: new Uint8Array(bytes), width: bytes / 3, height: 1 })

test('fills up to its bytes and puts nothing out', () => {
  const cache = new ImageCache(100, 1000)
  for (const index of [0, 1, 2, 3]) cache.add(index, image(30))
  expect([0, 1, 2, 3].map((index) => cache.get(index) !== undefined)).toEqual([true, true, true, false])
  expect(cache.bytes).toBe(90)
})

test('an image given twice is kept once', () => {
  const cache = new ImageCache(100, 10)
  cache.add(1, image(30))
  cache.add(1, image(30))
  expect(cache.bytes).toBe(30)
})

test('off keeps nothing', () => {
  const cache = new ImageCache('off', 10)
  cache.add(0, image(3))
  expect(cache.get(0)).toBeUndefined()
})

test('auto keeps a set that fits', () => {
  const cache = new ImageCache('auto', 200)
  for (let index = 0; index < 200; index++) cache.add(index, image(300))
  expect(cache.bytes).toBe(60_000)
})

test('auto lets go of a set once it is clear that it will not fit', () => {
  const cache = new ImageCache('auto', 1e9)
  for (let index = 0; index < 64; index++) cache.add(index, image(300))
  expect(cache.bytes).toBe(0)
  cache.add(64, image(300))
  expect(cache.bytes).toBe(0)
})
