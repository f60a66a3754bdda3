import sharp from 'sharp'

/** Pixels on their way into a picture: RGB, rows from the top, 8 bits a channel. */
export interface Pixels {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
}

/** Pixels put onto a drawing, unscaled; `left` and `top` in pixels of the picture. */
export interface PlacedPixels extends Pixels {
  readonly left: number
  readonly top: number
}

/**
 * Renders a drawing with pixels on top of it as a PNG file. The one place that encodes images (sharp is named here and in data/decode.ts).
 * @param svg a whole SVG document; its size in pixels is the picture's. No `<text>`: fonts differ, `lettering.ts` draws letters
 */
export async function renderPng(svg: string, pixels: readonly PlacedPixels[] = []): Promise<Uint8Array> {
  const layers = pixels.map(({ data, width, height, left, top }) => {
    const input = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    return { input, raw: { width, height, channels: 3 as const }, left, top }
  })
  return sharp(Buffer.from(svg)).composite(layers).removeAlpha().png({ compressionLevel: 9 }).toBuffer()
}

/** Enlarges pixels smoothly to a size. */
export async function enlarge({ data, width, height }: Pixels, size: { readonly width: number; readonly height: number }): Promise<Pixels> {
  const input = { raw: { width, height, channels: 3 as const } }
  return {
    ...size,
    data: await sharp(data, input)
      .resize({ ...size, fit: 'fill', kernel: 'cubic' })
      .raw()
      .toBuffer(),
  }
}
