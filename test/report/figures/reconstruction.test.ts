import sharp from 'sharp'

import type { F32Tensor, U8Tensor } from '../../../src/native/types.js'
import { gridFigure } from '../../../src/report/figures/grid.js'
import { hidePatches, pixelsOf } from '../../../src/report/figures/planes.js'
import { reconstructionFigure } from '../../../src/report/figures/reconstruction.js'
import { pngInfo } from '../../../src/report/png-info.js'

/** `[B, 3, 16, 16]` of one colour. */
function plain(batch: number, rgb: readonly [number, number, number]): F32Tensor {
  const data = Float32Array.from({ length: batch * 3 * 256 }, (_, at) => rgb[Math.floor(at / 256) % 3] ?? 0)
  return { data, shape: [batch, 3, 16, 16] }
}

/** Colour of a pixel of a picture, in the middle of a tile: 128 px large, from 24, 70 on, 136 apart. */
async function tileColor(png: Uint8Array, row: number, column: number, at: readonly [number, number] = [64, 64]): Promise<number[]> {
  const [left, top] = [24 + column * 136 + at[0], 70 + row * 136 + at[1]]
  return [...(await sharp(png).extract({ left, top, width: 1, height: 1 }).raw().toBuffer())]
}

test('pixels come from planes, cut to what can be shown', () => {
  const image: F32Tensor = { data: Float32Array.from([0, 2, 0.5, 1, -1, 0.2]), shape: [1, 3, 1, 2] }
  expect(pixelsOf(image, 0)).toEqual({ data: Uint8Array.from([0, 128, 0, 255, 255, 51]), width: 2, height: 1 })
})

test('hidden patches are grey, the others untouched', () => {
  const image = pixelsOf(plain(1, [1, 0, 0]), 0)
  const mask: U8Tensor = { data: Uint8Array.from([0, 0, 0, 0, 0, 1, 0, 0]), shape: [2, 4] }
  const { data } = hidePatches(image, mask, 1)
  const at = (x: number, y: number): number[] => [...data.subarray((y * 16 + x) * 3, (y * 16 + x) * 3 + 3)]
  expect([at(7, 0), at(8, 0), at(15, 7), at(8, 8)]).toEqual([
    [255, 0, 0],
    [168, 168, 168],
    [168, 168, 168],
    [255, 0, 0],
  ])
  expect(image.data[8 * 3 + 1]).toBe(0)
})

test('rows show original, masked input, reconstruction and alignment picture, with one seed for the masks', async () => {
  const calls: unknown[] = []
  const model = {
    async reconstruct(images: string, options: { path: 'masked' | 'full'; seed?: number }) {
      calls.push([images, options])
      const masked = options.path === 'masked'
      return {
        images: plain(2, masked ? [0, 1, 0] : [0, 0, 1]),
        original: plain(2, [1, 0, 0]),
        mask: masked ? { data: Uint8Array.from([0, 0, 0, 0, 1, 1, 1, 1]), shape: [2, 4] } : null,
        psnr: 20,
      }
    },
  }
  const png = await reconstructionFigure({ model, images: 'the images', seed: 7, caption: 'step 3' })
  expect(calls).toEqual([
    ['the images', { path: 'masked', seed: 7 }],
    ['the images', { path: 'full' }],
  ])
  const colors = await Promise.all([0, 1].flatMap((row) => [0, 1, 2, 3].map((column) => tileColor(png, row, column))))
  const [red, green, blue, grey] = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [168, 168, 168],
  ]
  expect(colors).toEqual([red, red, green, blue, red, grey, green, blue])
})

test('large images are not enlarged, wide ones keep their shape', async () => {
  const image = { data: new Uint8Array(200 * 150 * 3), width: 200, height: 150 }
  expect(pngInfo(await gridFigure([{ title: 'a', images: [image] }]))).toMatchObject({ width: 200 + 48, channels: 3 })
})

test('a grid without images is our own mistake', async () => {
  await expect(gridFigure([])).rejects.toMatchObject({ code: 'ERR_CAE_INTERNAL' })
})
