/** Tag 0x0112 of the first image file directory. */
const orientationTag = 0x0112

/**
 * Orientation in an APP1 segment's body: `Exif\0\0`, then a TIFF directory.
 * @returns 1 to 8, or undefined where there is none, or a damaged or unknown one
 */
export function exifOrientation(segment: Uint8Array): number | undefined {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength)
  if (segment.length < 14 || view.getUint32(0) !== 0x45786966) return undefined
  const tiff = 6
  const order = view.getUint16(tiff)
  if (order !== 0x4949 && order !== 0x4d4d) return undefined
  const little = order === 0x4949
  const directory = tiff + view.getUint32(tiff + 4, little)
  if (directory + 2 > segment.length) return undefined
  const entries = view.getUint16(directory, little)
  for (let entry = 0; entry < entries; entry++) {
    const at = directory + 2 + entry * 12
    if (at + 12 > segment.length) return undefined
    if (view.getUint16(at, little) !== orientationTag) continue
    const value = view.getUint16(at + 8, little)
    return value >= 1 && value <= 8 ? value : undefined
  }
  return undefined
}
