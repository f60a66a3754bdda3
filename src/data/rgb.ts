import { byRows } from './row-turns.js'
import type { DecodedImage } from './upright.js'

/** What becomes of transparency: left out (the stored colour stays), or the image is laid onto a colour. */
export type AlphaMode = 'drop' | `#${string}`

/** Pixels of 1 (grey), 3 (RGB) or 4 (RGBA) channels. */
interface Pixels {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
  readonly channels: number
}

/** The three bytes of `#rrggbb`. */
export function parseColor(color: `#${string}`): readonly [number, number, number] {
  const value = Number.parseInt(color.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}

/** RGB of grey, RGB or RGBA pixels. RGB pixels are not copied. */
export async function toRgb(pixels: Pixels, alpha: AlphaMode): Promise<DecodedImage> {
  const { data, width, height, channels } = pixels
  if (channels === 3) return { data, width, height }
  const out = Buffer.allocUnsafeSlow(3 * width * height)
  const ground = alpha === 'drop' ? undefined : parseColor(alpha)
  await byRows(width, height, (top, bottom) => {
    for (let pixel = top * width; pixel < bottom * width; pixel++) {
      const from = pixel * channels
      const weight = channels === 4 && ground !== undefined ? (data[from + 3] ?? 0) / 255 : 1
      for (let channel = 0; channel < 3; channel++) {
        const value = data[channels === 1 ? from : from + channel] ?? 0
        const under = ground?.[channel] ?? 0
        out[pixel * 3 + channel] = weight === 1 ? value : Math.round(under + (value - under) * weight)
      }
    }
  })
  return { data: out, width, height }
}

/** RGB of RGBA pixels whose wholly transparent ones take a colour of their own. */
export async function fillTransparent(pixels: Pixels, color: readonly [number, number, number]): Promise<DecodedImage> {
  const { data, width, height } = pixels
  await byRows(width, height, (top, bottom) => {
    for (let at = top * width * 4; at < bottom * width * 4; at += 4) if (data[at + 3] === 0) data.set(color, at)
  })
  return toRgb(pixels, 'drop')
}

/**
 * RGB of CMYK inks, without a colour profile: R = (255 - C)(255 - K) / 255, as the reference loaders have it (Pillow's `convert`).
 */
export async function cmykToRgb(pixels: Pixels): Promise<DecodedImage> {
  const { data, width, height } = pixels
  const out = Buffer.allocUnsafeSlow(3 * width * height)
  await byRows(width, height, (top, bottom) => {
    for (let pixel = top * width; pixel < bottom * width; pixel++) {
      const paper = 255 - (data[pixel * 4 + 3] ?? 0)
      for (let ink = 0; ink < 3; ink++) out[pixel * 3 + ink] = Math.round(((255 - (data[pixel * 4 + ink] ?? 0)) * paper) / 255)
    }
  })
  return { data: out, width, height }
}
