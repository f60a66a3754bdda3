import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import type { Dataset } from '#lib/index.js'

/** A folder of the bench's own, to be removed by it. */
export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'cae-bench-'))
}

/** JPEG files in memory with the detail of photos: blurred noise in colour. */
export async function syntheticPhotos(count: number, width: number, height: number): Promise<Dataset> {
  const files: Buffer[] = []
  for (let index = 0; index < count; index++) {
    const coarse = { width: Math.ceil(width / 16), height: Math.ceil(height / 16), channels: 3 as const }
    const noise = Buffer.from(Uint8Array.from({ length: coarse.width * coarse.height * 3 }, () => Math.floor(Math.random() * 256)))
    files.push(await sharp(noise, { raw: coarse }).resize(width, height, { kernel: 'cubic', fit: 'fill' }).jpeg({ quality: 92 }).toBuffer())
  }
  return { length: count, get: (index) => files[index] ?? Promise.reject(new RangeError(`no image ${index}`)) }
}
