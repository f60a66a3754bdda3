import type { FileHandle } from 'node:fs/promises'

import { type Refuse, readAt } from './input-file.js'

/** One file of a zip archive (a wheel and a `torch.save` file are zip archives too). */
export interface ZipEntry {
  readonly name: string
  readonly bytes: number
  readonly compressedBytes: number
  readonly crc: number
  readonly isDeflated: boolean
  /** Where its local header begins. */
  readonly offset: number
  /** Where the next header, or the directory, begins: its data ends before. */
  readonly limit: number
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
/** Room for over 100,000 files. A larger directory is no archive of weights or of a library. */
const largestDirectory = 16 << 20

/**
 * The files of a zip archive, in the order of its directory. Every entry lies in the file, and no two overlap.
 * @throws the error of `refuse` when the file is not a whole archive: a download that was cut short has no directory at its end
 */
export async function listZip(file: FileHandle, refuse: Refuse): Promise<readonly ZipEntry[]> {
  const { directory, start } = await readDirectory(file, refuse)
  const entries: Omit<ZipEntry, 'limit'>[] = []
  for (let at = 0; at + entryBytes <= directory.length; ) {
    if (directory.readUInt32LE(at) !== entrySignature) throw refuse('its directory is damaged')
    const nameEnd = at + entryBytes + directory.readUInt16LE(at + 28)
    const extraEnd = nameEnd + directory.readUInt16LE(at + 30)
    const next = extraEnd + directory.readUInt16LE(at + 32)
    if (next > directory.length) throw refuse('its directory is damaged')
    const name = directory.toString('utf8', at + entryBytes, nameEnd)
    const method = directory.readUInt16LE(at + 10)
    if (directory.readUInt16LE(at + 8) & 1) throw refuse(`${name} is encrypted`)
    if (method !== 0 && method !== 8) throw refuse(`${name} is compressed in an unknown way (${method})`)
    const sizes = wideSizes(directory, at, directory.subarray(nameEnd, extraEnd))
    entries.push({ name, ...sizes, crc: directory.readUInt32LE(at + 16), isDeflated: method === 8 })
    at = next
  }
  return withLimits(entries, start, refuse).filter(({ name }) => !name.endsWith('/'))
}

/**
 * Where the data of an entry begins: after its local header, whose name and padding the directory does not tell.
 * @throws the error of `refuse` when there is no such header, or the data would reach into what follows
 */
export async function dataStart(file: FileHandle, entry: ZipEntry, refuse: Refuse): Promise<number> {
  const header = await readAt(file, entry.offset, localBytes)
  if (header.length < localBytes || header.readUInt32LE(0) !== localSignature) throw refuse(`${entry.name} has no header`)
  const start = entry.offset + localBytes + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (start + entry.compressedBytes > entry.limit) throw refuse(`the data of ${entry.name} overlaps what follows it`)
  return start
}

/** Checks that entries follow one another in the file, up to the directory. */
function withLimits(entries: readonly Omit<ZipEntry, 'limit'>[], directoryStart: number, refuse: Refuse): ZipEntry[] {
  const limits = new Map<number, number>()
  let limit = directoryStart
  for (const { name, offset, compressedBytes } of [...entries].sort((a, b) => b.offset - a.offset)) {
    const leastEnd = offset + localBytes + Buffer.byteLength(name) + compressedBytes
    if (leastEnd > directoryStart) throw refuse(`${name} would end at byte ${leastEnd}, its directory begins at ${directoryStart}`)
    if (leastEnd > limit) throw refuse(`${name} overlaps the entry after it`)
    limits.set(offset, limit)
    limit = offset
  }
  return entries.map((entry) => ({ ...entry, limit: limits.get(entry.offset) ?? 0 }))
}

async function readDirectory(file: FileHandle, refuse: Refuse): Promise<{ directory: Buffer; start: number }> {
  const { size } = await file.stat()
  const tailStart = Math.max(0, size - endBytes - longestComment)
  const tail = await readAt(file, tailStart, size - tailStart)
  for (let at = tail.length - endBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== endSignature) continue
    let [bytes, start] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)]
    const locator = at - locatorBytes
    if (locator >= 0 && tail.readUInt32LE(locator) === end64LocatorSignature) {
      const position = Number(tail.readBigUInt64LE(locator + 8))
      const end64 = position < size ? await readAt(file, position, end64Bytes) : Buffer.alloc(0)
      if (end64.length < end64Bytes || end64.readUInt32LE(0) !== end64Signature) throw refuse('its zip64 directory is damaged')
      bytes = Number(end64.readBigUInt64LE(40))
      start = Number(end64.readBigUInt64LE(48))
    }
    if (start + bytes > size) throw refuse('its directory is cut short')
    if (bytes > largestDirectory) throw refuse(`its directory takes ${bytes} bytes, at most ${largestDirectory} are read`)
    return { directory: await readAt(file, start, bytes), start }
  }
  throw refuse('it has no zip directory at its end, as after a broken download')
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
