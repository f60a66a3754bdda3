/** Formats that are decoded. */
export type ImageFormat = 'jpeg' | 'png' | 'gif' | 'webp' | 'tiff' | 'avif'

/** What the first bytes of a file say it is: a format that is decoded, the name of another kind of file, or nothing known. */
export type Sniffed = { readonly format: ImageFormat } | { readonly unsupported: string } | undefined

/** First bytes as Latin-1 text: `?` stands for any byte. */
const signatures: readonly (readonly [string, Sniffed])[] = [
  ['\xff\xd8', { format: 'jpeg' }],
  ['\x89PNG\r\n\x1a\n', { format: 'png' }],
  ['GIF8', { format: 'gif' }],
  ['RIFF????WEBP', { format: 'webp' }],
  ['II*\0', { format: 'tiff' }],
  ['MM\0*', { format: 'tiff' }],
  ['II+\0', { format: 'tiff' }],
  ['MM\0+', { format: 'tiff' }],
  ['????ftypavi', { format: 'avif' }],
  ['????ftyphei', { unsupported: 'HEIC' }],
  ['????ftyphev', { unsupported: 'HEIC' }],
  // Both AVIF and HEIC files may bear the general brand; the decoder finds out which.
  ['????ftypmif1', { format: 'avif' }],
  ['????ftypmsf1', { format: 'avif' }],
  ['BM', { unsupported: 'BMP' }],
  ['P1', { unsupported: 'PBM' }],
  ['P2', { unsupported: 'PGM' }],
  ['P3', { unsupported: 'PPM' }],
  ['P4', { unsupported: 'PBM' }],
  ['P5', { unsupported: 'PGM' }],
  ['P6', { unsupported: 'PPM' }],
  ['\xff\x0a', { unsupported: 'JPEG XL' }],
  ['\0\0\0\x0cJXL ', { unsupported: 'JPEG XL' }],
  ['\0\0\0\x0cjP  ', { unsupported: 'JPEG 2000' }],
  ['\xff\x4f\xff\x51', { unsupported: 'JPEG 2000' }],
  ['8BPS', { unsupported: 'Photoshop' }],
  ['%PDF', { unsupported: 'PDF' }],
  ['PK\x03\x04', { unsupported: 'ZIP' }],
  ['<svg', { unsupported: 'SVG' }],
  ['<?xml', { unsupported: 'XML' }],
  ['<!', { unsupported: 'HTML' }],
  ['<html', { unsupported: 'HTML' }],
]

/** Bytes that `sniffFormat` looks at. */
export const sniffedBytes = 12

/** Tells a file's format by its content; names lie, so the extension plays no part. */
export function sniffFormat(bytes: Uint8Array): Sniffed {
  for (const [signature, kind] of signatures) if (startsWith(bytes, signature)) return kind
  return undefined
}

function startsWith(bytes: Uint8Array, signature: string): boolean {
  if (bytes.length < signature.length) return false
  for (let at = 0; at < signature.length; at++) {
    const wanted = signature.charCodeAt(at)
    if (wanted !== 0x3f && wanted !== bytes[at]) return false
  }
  return true
}

/**
 * Extensions that say "image", in lower case, with the dot. Formats that cannot be decoded are among them: such a file is told as a bad
 * image instead of being left out silently.
 */
export const imageExtensions: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.jpe',
  '.jfif',
  '.png',
  '.gif',
  '.webp',
  '.tif',
  '.tiff',
  '.avif',
  '.bmp',
  '.ppm',
  '.pgm',
  '.pbm',
  '.heic',
  '.heif',
  '.jxl',
  '.jp2',
])
