import { PixelPool } from '../../src/data/pixel-pool.js'
import { upright } from '../../src/data/upright.js'
import { turnsDuring } from '../support/event-loop.js'

// Two rows of three pixels, each named by its red value.
const image = { data: Uint8Array.from([1, 2, 3, 4, 5, 6].flatMap((red) => [red, 0, 9])), width: 3, height: 2 }
const rows = (data: Uint8Array, width: number) =>
  Array.from({ length: data.length / 3 / width }, (_, y) =>
    Array.from({ length: width }, (__, x) => data[3 * (y * width + x)]).join(''),
  ).join(' ')

// Where the first stored row and column are seen: EXIF 2.3, table of orientations.
test.each([
  [1, '123 456'],
  [2, '321 654'],
  [3, '654 321'],
  [4, '456 123'],
  [5, '14 25 36'],
  [6, '41 52 63'],
  [7, '63 52 41'],
  [8, '36 25 14'],
])('orientation %i', async (orientation, expected) => {
  const turned = await upright(image, orientation, new PixelPool(0))
  expect(rows(turned.data, turned.width)).toBe(expected)
  expect([...turned.data].filter((_, at) => at % 3 === 2)).toEqual([9, 9, 9, 9, 9, 9])
})

test('a photo of many pixels is turned in pieces, so that the event loop stays free', async () => {
  const photo = { data: Buffer.alloc(3 * 3000 * 2000), width: 3000, height: 2000 }
  expect(await turnsDuring(() => upright(photo, 6, new PixelPool(0)))).toBeGreaterThan(10)
})
