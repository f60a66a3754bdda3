import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Addon } from '../../../src/native/addon.js'
import { loadAddon } from '../../../src/native/load.js'
import type { DecodedSample } from '../../../src/native/types.js'
import { drawImage } from '../../support/images.js'

let addon: Addon
beforeAll(async () => {
  addon = await loadAddon()
})

interface PillowCase {
  readonly width: number
  readonly height: number
  readonly outWidth: number
  readonly outHeight: number
  readonly interpolation: 'bicubic' | 'bilinear' | 'lanczos'
  readonly pixels: string
}

/** What test/interop/pillow_crop.py drew for Pillow. */
function pattern(width: number, height: number): DecodedSample {
  const data = new Uint8Array(3 * width * height)
  for (let i = 0; i < data.length; i++) {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
    const texture = (x * 37 + y * 91 + c * 53 + x * y * (c + 1)) % 256
    data[i] = (x + y) % 4 < 2 ? 255 * ((Math.floor(x / 5) + Math.floor(y / 3) + c) % 2) : texture
  }
  return { data, width, height, index: 0, label: -1 }
}

const fixture = JSON.parse(readFileSync(join(__dirname, '../../fixtures/pillow-resize.json'), 'utf8')) as { cases: PillowCase[] }

test.each(fixture.cases)('is $interpolation of Pillow to the byte: $width x $height to $outWidth x $outHeight', async (c) => {
  const { data, shape } = await addon.resizeImage(pattern(c.width, c.height), c.outHeight, c.outWidth, c.interpolation)
  expect(shape).toEqual([c.outHeight, c.outWidth, 3])
  expect(Buffer.from(data).equals(Buffer.from(c.pixels, 'base64'))).toBe(true)
})

test('leaves an image of the right size as it is', async () => {
  const image = drawImage(1, 37, 21)
  const { data } = await addon.resizeImage({ ...image, index: 0, label: -1 }, 21, 37, 'bicubic')
  expect(Buffer.from(data).equals(Buffer.from(image.data))).toBe(true)
})

test.each([
  [2000, 1],
  [1, 2000],
  [1, 1],
])('an even %d x %d image stays even at any size', async (width, height) => {
  const image = { data: new Uint8Array(3 * width * height).fill(200), width, height, index: 0, label: -1 }
  for (const [h, w] of [
    [1, 1],
    [5, 7],
    [224, 224],
  ] as const) {
    const { data } = await addon.resizeImage(image, h, w, 'bicubic')
    expect(data.length).toBe(3 * h * w)
    expect(data.every((value) => value === 200)).toBe(true)
  }
})

test('reads a view into a larger buffer where it lies', async () => {
  const image = drawImage(2, 20, 30)
  const buffer = new Uint8Array(image.data.length + 11)
  buffer.set(image.data, 7)
  const view = { ...image, data: buffer.subarray(7, 7 + image.data.length), index: 0, label: -1 }
  const wanted = await addon.resizeImage({ ...image, index: 0, label: -1 }, 9, 9, 'bilinear')
  expect((await addon.resizeImage(view, 9, 9, 'bilinear')).data).toEqual(wanted.data)
})

test.each([
  ['too few bytes', { data: new Uint8Array(11) }, 'ERR_CAE_SHAPE', /image\.data has 11 bytes/],
  ['pixels of another type', { data: new Float32Array(12) as unknown as Uint8Array }, 'ERR_CAE_SHAPE', /Uint8Array/],
  ['half a column', { width: 1.5 }, 'ERR_CAE_SHAPE', /image\.width is 1\.5/],
  ['no rows', { height: 0 }, 'ERR_CAE_SHAPE', /image\.height is 0/],
] as const)('refuses %s', (_, changes, code, message) => {
  const image = { data: new Uint8Array(12), width: 2, height: 2, index: 0, label: -1, ...changes }
  expect(() => addon.resizeImage(image, 4, 4, 'bicubic')).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  )
})
