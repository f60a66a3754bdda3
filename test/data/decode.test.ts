import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import type { RawImage } from '../../src/data/dataset.js'
import { decodeImage } from '../../src/data/decode.js'
import { drawImage, encodeImage } from '../support/images.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a).toHaveLength(b.length)
  return a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] ?? 0)), 0) / a.length
}

test.each([
  ['png', 0],
  ['webp', 6],
  ['gif', 6],
  ['tiff', 4],
  ['avif', 6],
  ['jpeg', 4],
] as const)('%s comes out as it went in, within %d levels', async (format, tolerance) => {
  const image = drawImage(1, 48, 40)
  const decoded = await decodeImage(await encodeImage(image, format))
  expect(decoded).toMatchObject({ width: 48, height: 40 })
  expect(meanDifference(decoded.data, image.data)).toBeLessThanOrEqual(tolerance)
})

test.each([
  ['small, decoded at once', 40, 24],
  ['large, decoded beside the event loop', 300, 200],
])('a JPEG that is %s is what sharp makes of it, within the fast transform', async (_, width, height) => {
  const bytes = await encodeImage(drawImage(2, width, height), 'jpeg')
  const exact = await sharp(bytes).raw().toBuffer()
  expect(meanDifference((await decodeImage(bytes)).data, exact)).toBeLessThan(1.5)
})

describe('EXIF orientation', () => {
  const wide = drawImage(3, 300, 200)
  const small = drawImage(3, 21, 13)

  test.each([1, 2, 3, 4, 5, 6, 7, 8].flatMap((orientation) => [small, wide].map((image) => [orientation, image.width, image] as const)))(
    '%i turns a JPEG %i wide as sharp does',
    async (orientation, _, { data, width, height, channels }) => {
      const bytes = await sharp(data, { raw: { width, height, channels } }).withMetadata({ orientation }).jpeg().toBuffer()
      const { data: pixels, info } = await sharp(bytes).autoOrient().raw().toBuffer({ resolveWithObject: true })
      const decoded = await decodeImage(bytes)
      expect([decoded.width, decoded.height]).toEqual([info.width, info.height])
      expect(meanDifference(decoded.data, pixels)).toBeLessThan(1.5)
      expect(await decodeImage(bytes, { exif: false })).toMatchObject({ width, height })
    },
  )
})

describe('transparency', () => {
  // One opaque, one half and one wholly transparent pixel, red in all three.
  const rgba: RawImage = { data: Uint8Array.of(255, 0, 0, 255, 255, 0, 0, 128, 255, 0, 0, 0), width: 3, height: 1, channels: 4 }

  test.each([
    ['decoded pixels', async () => rgba],
    ['a PNG', () => encodeImage(rgba, 'png')],
  ])('of %s is dropped by default, or laid onto a colour', async (_, make) => {
    const input = await make()
    expect([...(await decodeImage(input)).data]).toEqual([255, 0, 0, 255, 0, 0, 255, 0, 0])
    const onBlue = [...(await decodeImage(input, { alpha: '#0000ff' })).data]
    const wanted = [255, 0, 0, 128, 0, 127, 0, 0, 255]
    for (const [at, value] of onBlue.entries()) expect(Math.abs(value - (wanted[at] ?? 0))).toBeLessThanOrEqual(1)
  })
})

test('grey, RGB and RGBA pixels in memory become RGB', async () => {
  const grey = await decodeImage({ data: Uint8Array.of(1, 2), width: 2, height: 1, channels: 1 })
  expect([...grey.data]).toEqual([1, 1, 1, 2, 2, 2])
  const rgb = Uint8Array.of(1, 2, 3)
  expect((await decodeImage({ data: rgb, width: 1, height: 1, channels: 3 })).data).toBe(rgb)
})

describe('what cannot be used is an error that names the image', () => {
  const png = () => encodeImage(drawImage(1, 20, 20), 'png')
  test.each<[string, () => Promise<string | Uint8Array | RawImage>, RegExp]>([
    ['a missing file', async () => 'nowhere.jpg', /cannot read the image: ENOENT/],
    ['a folder', async () => folder(), /cannot read the image: EISDIR/],
    ['no bytes', async () => new Uint8Array(), /empty: 0 bytes/],
    ['text', async () => Buffer.from('hello, world'), /no known signature/],
    ['a BMP', async () => Buffer.from('BM..............'), /unsupported format: BMP/],
    ['an SVG', async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), /unsupported format: SVG/],
    ['a cut PNG', async () => (await png()).subarray(0, 200), /cannot decode the image/],
    [
      'a cut JPEG',
      async () => (await encodeImage(drawImage(1, 300, 200), 'jpeg')).subarray(0, 2000),
      /cannot decode the image.*premature end/,
    ],
    ['too few pixels in memory', async () => ({ data: new Uint8Array(5), width: 2, height: 1, channels: 3 }), /take 6 bytes, not 5/],
  ])('%s', async (_, make, message) => {
    await expect(decodeImage(await make(), { name: 'x/1' })).rejects.toMatchObject({
      code: 'ERR_CAE_BAD_IMAGE',
      message: expect.stringMatching(message),
      parts: { where: 'x/1' },
    })
  })

  test.each(['png', 'jpeg', 'webp'] as const)('a %s with more pixels than allowed', async (format) => {
    const bytes = await encodeImage(drawImage(1, 20, 20), format)
    await expect(decodeImage(bytes, { maxPixels: 399 })).rejects.toMatchObject({
      code: 'ERR_CAE_BAD_IMAGE',
      message: expect.stringMatching(/pixel/),
    })
    await expect(decodeImage(bytes, { maxPixels: 400 })).resolves.toMatchObject({ width: 20 })
  })
})

test('a path is read, and the error of a file without a name of its own names the path', async () => {
  const path = join(folder(), 'a.png')
  await writeFile(path, await encodeImage(drawImage(1), 'png'))
  expect(await decodeImage(path)).toMatchObject({ width: 32, height: 32 })
  await rm(path)
  await expect(decodeImage(path)).rejects.toMatchObject({ parts: { where: path } })
})
