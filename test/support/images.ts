import type { RawImage } from '../../src/data/dataset.js'
import { RngStream } from '../../src/rng.js'

/** A picture drawn from a seed: a coloured ramp with a disc on it, so that a shift, a turn or a swapped channel shows. */
export function drawImage(seed: number, width = 32, height = width): RawImage & { readonly channels: 3 } {
  const random = new RngStream({ seed, purpose: 'jitter', time: 0, index: 0 })
  const [x0, y0, radius] = [random.uniform() * width, random.uniform() * height, (0.2 + random.uniform() * 0.3) * Math.min(width, height)]
  const ground = [random.uniform() * 200, random.uniform() * 200, random.uniform() * 200]
  const disc = [random.uniform() * 255, random.uniform() * 255, random.uniform() * 255]
  const data = new Uint8Array(3 * width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = (x - x0) ** 2 + (y - y0) ** 2 < radius ** 2
      for (let channel = 0; channel < 3; channel++) {
        const ramp = (ground[channel] ?? 0) + (55 * (channel === 0 ? x : y)) / Math.max(width, height)
        data[3 * (y * width + x) + channel] = Math.round(inside ? (disc[channel] ?? 0) : ramp)
      }
    }
  }
  return { data, width, height, channels: 3 }
}

/** Encodes a drawn picture; `quality` only where the format has one. */
export async function encodeImage(image: RawImage, format: 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif'): Promise<Buffer> {
  const { default: sharp } = await import('sharp')
  const { data, width, height, channels } = image
  return sharp(data, { raw: { width, height, channels } }).toFormat(format).toBuffer()
}
