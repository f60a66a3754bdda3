import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { idx } from '../../../src/data/sources/idx.js'
import { openData } from '../../../src/data/sources/registry.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder()
const at = (name: string) => join(folder(), name)

function file(shape: readonly number[], data: Uint8Array, type = 8): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length)
  head[2] = type
  head[3] = shape.length
  for (const [i, count] of shape.entries()) head.writeUInt32BE(count, 4 + 4 * i)
  return Buffer.concat([head, data])
}

const pixels = Uint8Array.from({ length: 3 * 4 * 5 }, (_, i) => i * 4)

test.each(['', '.gz'])('images as RGB with the labels beside them%s', async (end) => {
  const pack = end === '' ? (bytes: Buffer) => bytes : gzipSync
  await writeFile(at(`train-images-idx3-ubyte${end}`), pack(file([3, 4, 5], pixels)))
  await writeFile(at(`train-labels-idx1-ubyte${end}`), pack(file([3], Uint8Array.of(9, 0, 5))))
  const set = await openData(at(`train-images-idx3-ubyte${end}`))
  expect([set.length, [0, 1, 2].map((index) => set.label?.(index)), set.name?.(1)]).toEqual([
    3,
    [9, 0, 5],
    `${at('train-images-idx3-ubyte')}${end}#1`,
  ])
  const image = await set.get(1)
  const rgb = Uint8Array.from({ length: 60 }, (_, i) => pixels[20 + Math.floor(i / 3)] ?? 0)
  expect(image).toEqual({ data: rgb, width: 5, height: 4, channels: 3 })
})

test('labels elsewhere, without, and not there', async () => {
  await writeFile(at('t10k-images.idx3-ubyte'), file([3, 4, 5], pixels))
  await writeFile(at('t10k-labels.idx1-ubyte'), file([3], Uint8Array.of(1, 2, 3)))
  await writeFile(at('mine'), file([3], Uint8Array.of(4, 5, 6)))
  expect((await idx(at('t10k-images.idx3-ubyte'))).label?.(0)).toBe(1)
  expect((await idx(at('t10k-images.idx3-ubyte'), { labels: at('mine') })).label?.(0)).toBe(4)
  expect((await idx(at('t10k-images.idx3-ubyte'), { labels: false })).label).toBeUndefined()
  await rm(at('t10k-labels.idx1-ubyte'))
  expect((await idx(at('t10k-images.idx3-ubyte'))).label).toBeUndefined()
  await expect(idx(at('t10k-images.idx3-ubyte'), { labels: at('none') })).rejects.toMatchObject({ code: 'ERR_CAE_DATA' })
})

test.each<[string, () => Buffer, RegExp]>([
  ['another file', () => Buffer.from('no such thing at all'), /this is no IDX file/],
  ['labels for images', () => file([3], pixels.subarray(0, 3)), /is no IDX file|with 1 dimensions, expected unsigned bytes with 3/],
  ['floats', () => file([3, 4, 5], pixels, 0x0d), /type 0xd with 3 dimensions/],
  ['cut short', () => file([3, 4, 5], pixels.subarray(1)), /says 3 x 4 x 5 bytes, and holds 59/],
  ['too long', () => file([2, 4, 5], pixels), /says 2 x 4 x 5 bytes, and holds 60/],
  ['no image', () => file([0, 4, 5], new Uint8Array()), /holds 0 images/],
  ['damaged gzip', () => gzipSync(file([3, 4, 5], pixels)).subarray(0, 30), /cannot read the images/],
])('%s is told', async (_, bytes, message) => {
  await writeFile(at('x-images-idx3-ubyte'), bytes())
  await expect(idx(at('x-images-idx3-ubyte'))).rejects.toMatchObject({ code: 'ERR_CAE_DATA', message: expect.stringMatching(message) })
})

test('labels that do not fit the images are told, and an image outside', async () => {
  await writeFile(at('x-images-idx3-ubyte'), file([3, 4, 5], pixels))
  const set = await idx(at('x-images-idx3-ubyte'))
  expect(() => set.get(3)).toThrow(/image 3 asked of a set of 3/)
  await writeFile(at('x-labels-idx1-ubyte'), file([2], Uint8Array.of(1, 2)))
  await expect(idx(at('x-images-idx3-ubyte'))).rejects.toMatchObject({ message: expect.stringMatching(/2 labels for 3 images/) })
})
