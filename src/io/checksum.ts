import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'

/**
 * SHA-256 of a file's content, lower-case hexadecimal, read in pieces.
 * @throws whatever the file system reports; `signal.reason` when aborted
 */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, signal ? { signal } : {})
  return hash.digest('hex')
}

/** SHA-256 of bytes or text (as UTF-8), lower-case hexadecimal. */
export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}

let table: Uint32Array | undefined

/** CRC-32C (Castagnoli: reflected polynomial 0x82F63B78, inverted at both ends), as an unsigned 32-bit number. */
export function crc32c(data: Uint8Array): number {
  table ??= castagnoliTable()
  let crc = 0xffffffff
  for (const byte of data) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0)
  return ~crc >>> 0
}

/** TFRecord's mask over CRC-32C: data that holds its own checksum stays distinguishable (spec/ecosystem.md 5.4). */
export function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c(data)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

function castagnoliTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
    return value
  })
}
