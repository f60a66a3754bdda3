import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'
import { CaeError } from '../errors.js'
import { dataStart, listZip as listEntries, type ZipEntry } from '../io/zip.js'

const chunkBytes = 1 << 20

/**
 * The files of a zip archive, in the order of its directory.
 * @throws {CaeError} ERR_CAE_SETUP when the file is not a whole archive: a download that was cut short has no directory at its end
 */
export async function listZip(path: string): Promise<readonly ZipEntry[]> {
  await using file = await open(path)
  return await listEntries(file, (reason) => broken(path, reason))
}

/** Writes one entry to `target`, making its folder; checks its length and checksum. */
export async function extractEntry(path: string, entry: ZipEntry, target: string): Promise<void> {
  const start = await startOf(path, entry)
  await mkdir(dirname(target), { recursive: true })
  let bytes = 0
  let crc = 0
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      crc = crc32(chunk, crc)
      done(null, chunk)
    },
  })
  const output = createWriteStream(target, { highWaterMark: chunkBytes })
  if (entry.compressedBytes === 0) {
    await pipeline([], output)
  } else {
    const input = createReadStream(path, { start, end: start + entry.compressedBytes - 1, highWaterMark: chunkBytes })
    const inflate = entry.isDeflated ? [createInflateRaw({ chunkSize: chunkBytes })] : []
    await pipeline([input, ...inflate, check, output]).catch((error: NodeJS.ErrnoException) => {
      throw error.code?.startsWith('Z_') ? broken(path, `${entry.name} is damaged`, error) : error
    })
  }
  if (bytes !== entry.bytes || crc !== entry.crc) throw broken(path, `${entry.name} fails its checksum`)
}

async function startOf(path: string, entry: ZipEntry): Promise<number> {
  await using file = await open(path)
  return await dataStart(file, entry, (reason) => broken(path, reason))
}

function broken(path: string, reason: string, cause?: unknown): CaeError {
  return new CaeError('ERR_CAE_SETUP', { what: `not a whole zip archive: ${reason}`, where: path, todo: 'download it again' }, { cause })
}
