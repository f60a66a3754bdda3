import type { PixelPool } from './pixel-pool.js'
import { byRows } from './row-turns.js'

/** Decoded pixels as the package uses them: RGB, rows from the top, 8 bits a channel, `3 * width * height` bytes. */
export interface DecodedImage {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
}

/**
 * Where a stored pixel goes, by EXIF orientation: `swap` exchanges the axes, then `flipX` and `flipY` mirror the upright image.
 * Read as: orientation 6 was taken with the camera turned; the stored first row becomes the right column.
 */
const moves: readonly { readonly swap: boolean; readonly flipX: boolean; readonly flipY: boolean }[] = [
  { swap: false, flipX: false, flipY: false }, // 1
  { swap: false, flipX: true, flipY: false }, // 2
  { swap: false, flipX: true, flipY: true }, // 3
  { swap: false, flipX: false, flipY: true }, // 4
  { swap: true, flipX: false, flipY: false }, // 5
  { swap: true, flipX: true, flipY: false }, // 6
  { swap: true, flipX: true, flipY: true }, // 7
  { swap: true, flipX: false, flipY: true }, // 8
]

/** Rows turned at a time: where the axes change places, a band of the source stays in the cache while it is read across. */
const band = 16

/** Turns an image as its EXIF orientation (1 to 8) says. The memory of `image` goes back to the pool. */
export async function upright(image: DecodedImage, orientation: number, pool: PixelPool): Promise<DecodedImage> {
  const move = moves[orientation - 1]
  if (move === undefined || orientation === 1) return image
  const { data, width, height } = image
  const outWidth = move.swap ? height : width
  const outHeight = move.swap ? width : height
  const out = pool.take(data.length)
  // Offset in `out` of stored pixel (x, y): start + x * stepX + y * stepY.
  const right = move.flipX ? -3 : 3
  const down = (move.flipY ? -3 : 3) * outWidth
  const start = (move.flipX ? outWidth - 1 : 0) * 3 + (move.flipY ? outHeight - 1 : 0) * 3 * outWidth
  const stepX = move.swap ? down : right
  const stepY = move.swap ? right : down
  await byRows(width, height, (first, end) => {
    for (let top = first; top < end; top += band) {
      const bottom = Math.min(top + band, end)
      for (let x = 0; x < width; x++) {
        let from = (top * width + x) * 3
        let to = start + x * stepX + top * stepY
        for (let y = top; y < bottom; y++) {
          out[to] = data[from] ?? 0
          out[to + 1] = data[from + 1] ?? 0
          out[to + 2] = data[from + 2] ?? 0
          from += width * 3
          to += stepY
        }
      }
    }
  })
  pool.giveBack(data)
  return { data: out, width: outWidth, height: outHeight }
}
