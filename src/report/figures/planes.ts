import type { F32Tensor, U8Tensor } from '../../native/types.js'
import type { Pixels } from '../png.js'

/** The grey of what the encoder does not see. */
const hiddenGrey = 168

/**
 * One image of a float batch as pixels to show.
 * @param images `[B, 3, H, W]` in [0, 1]; what lies outside is cut off
 */
export function pixelsOf({ data, shape }: F32Tensor, index: number): Pixels {
  const [, , height = 0, width = 0] = shape
  const plane = height * width
  const pixels = new Uint8Array(plane * 3)
  for (let channel = 0; channel < 3; channel++) {
    const from = (index * 3 + channel) * plane
    for (let at = 0; at < plane; at++) pixels[at * 3 + channel] = Math.round(255 * Math.min(1, Math.max(0, data[from + at] ?? 0)))
  }
  return { data: pixels, width, height }
}

/**
 * A copy of an image in which the hidden patches are grey.
 * @param mask `[B, N]`, 1 where hidden; patches are square, row by row
 */
export function hidePatches({ data, width, height }: Pixels, mask: U8Tensor, index: number): Pixels {
  const [, patches = 1] = mask.shape
  const side = Math.round(Math.sqrt((width * height) / patches))
  const columns = width / side
  const pixels = Uint8Array.from(data)
  for (let y = 0; y < height; y++) {
    for (let column = 0; column < columns; column++) {
      const patch = Math.floor(y / side) * columns + column
      const from = (y * width + column * side) * 3
      if (mask.data[index * patches + patch] === 1) pixels.fill(hiddenGrey, from, from + side * 3)
    }
  }
  return { data: pixels, width, height }
}
