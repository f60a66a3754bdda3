import { CaeError } from '../errors.js'

/** What the first chunk of a PNG file says. */
export interface PngInfo {
  readonly width: number
  readonly height: number
  /** 1 grey, 2 grey and alpha, 3 RGB or palette, 4 RGB and alpha. */
  readonly channels: number
}

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const channelsOfColourType: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 }

/** Size of a PNG file, read from its header. @throws {CaeError} ERR_CAE_INTERNAL when the bytes are no PNG: only our own come here */
export function pngInfo(png: Uint8Array): PngInfo {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength)
  const channels = bytes.length < 33 || !bytes.subarray(0, 8).equals(signature) ? undefined : channelsOfColourType[bytes.readUInt8(25)]
  if (channels === undefined) throw new CaeError('ERR_CAE_INTERNAL', { what: `a figure of ${bytes.length} bytes is not a PNG file` })
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20), channels }
}
