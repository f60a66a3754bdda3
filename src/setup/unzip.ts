import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'
import { CaeError } from '../errors.js'

/** One file of a zip archive (a wheel is one too). */
export interface ZipEntry {
  readonly name: string
  readonly bytes: number
  readonly compressedBytes: number
  readonly crc: number
  readonly isDeflated: boolean
  /** Where its local header begins. */
  readonly offset: number
}

// Sizes and signatures of APPNOTE.TXT, the zip specification: sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16.
const endSignature = 0x06054b50
const end64LocatorSignature = 0x07064b50
const end64Signature = 0x06064b50
const entrySignature = 0x02014b50
const localSignature = 0x04034b50
const endBytes = 22
const locatorBytes = 20
const end64Bytes = 56
const entryBytes = 46
const localBytes = 30
const longestComment = 0xffff
const chunkBytes = 1 << 20

/**
 * The files of a zip archive, in the order of its directory.
 * @throws {CaeError} ERR_CAE_SETUP when the file is not a whole archive: a download that was cut short has no directory at its end
 */
export async function listZip(path: string): Promise<readonly ZipEntry[]> {
  await using file = await open(path)
  const directory = await readDirectory(file, path)
  const entries: ZipEntry[] = []
  for (let at = 0; at + entryBytes <= directory.length; ) {
    if (directory.readUInt32LE(at) !== entrySignature) throw broken(path, 'its directory is damaged')
    const [nameBytes, extraBytes, commentBytes] = [
      directory.readUInt16LE(at + 28),
      directory.readUInt16LE(at + 30),
      directory.readUInt16LE(at + 32),
    ]
    const nameEnd = at + entryBytes + nameBytes
    const name = directory.toString('utf8', at + entryBytes, nameEnd)
    const method = directory.readUInt16LE(at + 10)
    if (method !== 0 && method !== 8) throw broken(path, `${name} is compressed in an unknown way (${method})`)
    const sizes = wideSizes(directory, at, directory.subarray(nameEnd, nameEnd + extraBytes))
    if (!name.endsWith('/')) entries.push({ name, ...sizes, crc: directory.readUInt32LE(at + 16), isDeflated: method === 8 })
    at = nameEnd + extraBytes + commentBytes
  }
  return entries
}

/** Writes one entry to `target`, making its folder; checks its length and checksum. */
export async function extractEntry(path: string, entry: ZipEntry, target: string): Promise<void> {
  const start = await dataStart(path, entry)
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

async function dataStart(path: string, entry: ZipEntry): Promise<number> {
  await using file = await open(path)
  const header = await readAt(file, entry.offset, localBytes)
  if (header.length < localBytes || header.readUInt32LE(0) !== localSignature) throw broken(path, `${entry.name} has no header`)
  return entry.offset + localBytes + header.readUInt16LE(26) + header.readUInt16LE(28)
}

async function readDirectory(file: FileHandle, path: string): Promise<Buffer> {
  const { size } = await file.stat()
  const tailStart = Math.max(0, size - endBytes - longestComment)
  const tail = await readAt(file, tailStart, size - tailStart)
  for (let at = tail.length - endBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== endSignature) continue
    let [bytes, offset] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)]
    const locator = at - locatorBytes
    if (locator >= 0 && tail.readUInt32LE(locator) === end64LocatorSignature) {
      const end64 = await readAt(file, Number(tail.readBigUInt64LE(locator + 8)), end64Bytes)
      if (end64.length < end64Bytes || end64.readUInt32LE(0) !== end64Signature) throw broken(path, 'its zip64 directory is damaged')
      bytes = Number(end64.readBigUInt64LE(40))
      offset = Number(end64.readBigUInt64LE(48))
    }
    const directory = await readAt(file, offset, bytes)
    if (directory.length < bytes) throw broken(path, 'its directory is cut short')
    return directory
  }
  throw broken(path, 'it has no zip directory at its end, as after a broken download')
}

/** Sizes and offset of the directory entry at `at`; those of all ones stand in the zip64 extra field, in this order. */
function wideSizes(directory: Buffer, at: number, extra: Buffer): Pick<ZipEntry, 'bytes' | 'compressedBytes' | 'offset'> {
  const narrow = [directory.readUInt32LE(at + 24), directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 42)]
  let field: Buffer = Buffer.alloc(0)
  for (let i = 0; i + 4 <= extra.length; i += 4 + extra.readUInt16LE(i + 2)) {
    if (extra.readUInt16LE(i) === 1) field = extra.subarray(i + 4, i + 4 + extra.readUInt16LE(i + 2))
  }
  let used = 0
  const [bytes = 0, compressedBytes = 0, offset = 0] = narrow.map((value) => {
    if (value !== 0xffffffff || used + 8 > field.length) return value
    used += 8
    return Number(field.readBigUInt64LE(used - 8))
  })
  return { bytes, compressedBytes, offset }
}

async function readAt(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes)
  const { bytesRead } = await file.read(buffer, 0, bytes, position)
  return buffer.subarray(0, bytesRead)
}

function broken(path: string, reason: string, cause?: unknown): CaeError {
  return new CaeError('ERR_CAE_SETUP', { what: `not a whole zip archive: ${reason}`, where: path, todo: 'download it again' }, { cause })
}
