import { readJpegHeader } from '../../src/data/jpeg-header.js'
import { drawImage, encodeImage } from '../support/images.js'

/** A marker segment with its length. */
function segment(marker: number, body: readonly number[]): number[] {
  return [0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body]
}
const frame = segment(0xc0, [8, 0, 3, 0, 5, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1])
const header = (...parts: readonly (readonly number[])[]) => readJpegHeader(Uint8Array.from([0xff, 0xd8, ...parts.flat()]))
const exif = (order: 'II' | 'MM', entry: readonly number[]) => {
  const little = order === 'II'
  const tiff = little ? [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0] : [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1]
  return segment(0xe1, [0x45, 0x78, 0x69, 0x66, 0, 0, ...tiff, ...entry, 0, 0, 0, 0])
}
const bigEndian = (value: number) => exif('MM', [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0])
const littleEndian = (value: number) => exif('II', [0x12, 0x01, 3, 0, 1, 0, 0, 0, value, 0, 0, 0])

test('reads size and components without decoding', async () => {
  expect(readJpegHeader(await encodeImage(drawImage(1, 40, 24), 'jpeg'))).toMatchObject({
    width: 40,
    height: 24,
    components: 3,
    orientation: 1,
  })
})

test('skips stray and fill bytes between segments', () => {
  expect(header([0, 0x12], [0xff, 0xff], frame)).toMatchObject({ width: 5, height: 3 })
})

test.each([1, 2, 3, 4, 5, 6, 7, 8])('finds EXIF orientation %i in both byte orders', (value) => {
  expect(header(bigEndian(value), frame)?.orientation).toBe(value)
  expect(header(littleEndian(value), frame)?.orientation).toBe(value)
})

test.each([0, 9, 99])('an orientation of %i counts as upright', (value) => {
  expect(header(bigEndian(value), frame)?.orientation).toBe(1)
})

test('a torn EXIF block counts as upright', () => {
  expect(header(segment(0xe1, [0x45, 0x78, 0x69, 0x66, 0, 0, 0x4d, 0x4d, 0, 42, 0xff, 0xff, 0xff, 0xff]), frame)?.orientation).toBe(1)
  expect(header(segment(0xe1, [0x45, 0x78]), frame)?.orientation).toBe(1)
})

test('knows fine quantisation', () => {
  const table = (step: number) => segment(0xdb, [0, ...Array<number>(64).fill(step)])
  expect(header(table(1), frame)?.fine).toBe(true)
  expect(header(table(9), frame)?.fine).toBe(false)
  expect(header(table(9), table(1), frame)?.fine).toBe(true)
  expect(header(segment(0xdb, [0x10, ...Array<number>(128).fill(9)]), frame)?.fine).toBe(true)
})

test('cut anywhere, it gives up or answers, and never fails', () => {
  const whole = Uint8Array.from([0xff, 0xd8, ...bigEndian(6), ...segment(0xdb, [0, ...Array<number>(64).fill(9)]), ...frame])
  for (let length = 0; length < whole.length; length++) {
    const cut = readJpegHeader(whole.subarray(0, length))
    if (cut !== undefined) expect(cut).toMatchObject({ width: 5, height: 3 })
  }
})

test.each([
  ['nothing', []],
  ['pixels before a frame', segment(0xda, [1])],
  ['an early end', [0xff, 0xd9]],
])('no header in %s', (_, bytes) => {
  expect(header(bytes)).toBeUndefined()
})
