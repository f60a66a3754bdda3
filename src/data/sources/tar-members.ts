import { type ByteSource, badSource } from './byte-source.js'

/** One member of an archive. */
export interface TarMember {
  readonly name: string
  /** Where its content begins, in bytes. */
  readonly offset: number
  readonly size: number
}

const blockBytes = 512

/** Longest name, and longest set of extended headers, in bytes: more is no archive, or a hostile one. */
const longestHeader = 1 << 20

/** Kinds of members by their type flag (POSIX pax, ustar; GNU). */
const regularFile = new Set(['0', '\0', '7'])
/** Links, devices, folders and pipes: no content follows, whatever their size says. */
const withoutContent = new Set(['1', '2', '3', '4', '5', '6'])

/** Reads forwards through a source, in blocks. */
export class ForwardReader {
  #from = 0
  #block: Buffer = Buffer.alloc(0)

  constructor(
    readonly source: ByteSource,
    readonly signal?: AbortSignal,
  ) {}

  /** `length` bytes from `offset`, or fewer at the end. */
  read(offset: number, length: number): Buffer | Promise<Buffer> {
    const start = offset - this.#from
    const end = Math.min(start + length, this.source.size - this.#from)
    if (start >= 0 && end <= this.#block.length) return this.#block.subarray(start, end)
    return this.#next(offset, length)
  }

  async #next(offset: number, length: number): Promise<Buffer> {
    this.signal?.throwIfAborted()
    const wanted = Math.min(Math.max(length, this.source.blockBytes), this.source.size - offset)
    this.#block = wanted > 0 ? await this.source.read(offset, wanted, this.signal) : Buffer.alloc(0)
    this.#from = offset
    return this.#block.subarray(0, length)
  }
}

/**
 * The regular files of a tar archive (ustar, pax and GNU headers), in their order; content is passed over.
 * @param reader `source` from its beginning
 * @throws {CaeError} ERR_CAE_DATA when it is compressed, damaged or cut short
 */
export async function* tarMembers(source: ByteSource, reader: ForwardReader): AsyncGenerator<TarMember> {
  let extended: Extended = {}
  for (let at = 0; at < source.size; ) {
    const reading = reader.read(at, blockBytes)
    const header = reading instanceof Promise ? await reading : reading
    if (at === 0) refuseCompressed(source, header)
    if (header.length < blockBytes) throw damaged(source, at, `the archive ends in the middle of a header`)
    if (header.every((byte) => byte === 0)) return // the end of the archive
    if (!checksumAgrees(header)) throw damaged(source, at, at === 0 ? 'this is no tar archive' : 'the archive is damaged')
    const flag = String.fromCharCode(header[156] ?? 0)
    const offset = at + blockBytes
    const isExtension = flag === 'x' || flag === 'L'
    const size = withoutContent.has(flag) ? 0 : ((isExtension ? undefined : extended.size) ?? numberIn(header, 124, 12))
    if (!Number.isSafeInteger(size) || size < 0) throw damaged(source, at, 'the archive is damaged: a size is no number')
    if (offset + size > source.size) {
      throw damaged(source, at, `the archive is cut short: a member of ${size} bytes begins ${source.size - offset} bytes before its end`)
    }
    if (isExtension) {
      if (size > longestHeader) throw damaged(source, at, `an extended header of ${size} bytes`)
      const content = await reader.read(offset, size)
      extended = { ...extended, ...(flag === 'L' ? { name: textOf(content) } : paxFields(source, at, content)) }
    } else if (flag !== 'K' && flag !== 'g') {
      const name = extended.name ?? nameIn(header)
      if (flag === 'S' || extended.isSparse)
        throw badSource(source, `${name} is stored with holes (a sparse file)`, 'pack the shard without --sparse')
      if (regularFile.has(flag) && !name.endsWith('/')) yield { name, offset, size } // an old archive's folder is a "file" with a slash
      extended = {}
    }
    at = offset + Math.ceil(size / blockBytes) * blockBytes
  }
}

/** What extension headers say of the member after them. */
interface Extended {
  readonly name?: string
  readonly size?: number
  readonly isSparse?: boolean
}

function paxFields(source: ByteSource, at: number, content: Buffer): Extended {
  const fields: { name?: string; size?: number; isSparse?: boolean } = {}
  for (let from = 0; from < content.length; ) {
    const space = content.indexOf(0x20, from)
    const length = Number(content.toString('latin1', from, space))
    if (space < 0 || !(length > space - from) || from + length > content.length) throw damaged(source, at, 'a damaged extended header')
    const record = content.toString('utf8', space + 1, from + length - 1)
    const key = record.slice(0, record.indexOf('='))
    const value = record.slice(key.length + 1)
    if (key === 'path') fields.name = value
    else if (key === 'size') fields.size = Number(value)
    else if (key.startsWith('GNU.sparse.')) fields.isSparse = true
    from += length
  }
  return fields
}

function nameIn(header: Buffer): string {
  const name = textOf(header.subarray(0, 100))
  // GNU's own format has other things where ustar has the first part of a long name.
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? textOf(header.subarray(345, 500)) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

/** An octal number in ASCII, or where the first bit is set (GNU) a binary one. NaN for anything else. */
function numberIn(header: Buffer, from: number, length: number): number {
  const first = header[from] ?? 0
  if (first === 0x80) return header.subarray(from + 1, from + length).reduce((value, byte) => value * 256 + byte, 0)
  const text = textOf(header.subarray(from, from + length)).trim()
  return /^[0-7]*$/.test(text) ? Number.parseInt(text || '0', 8) : Number.NaN
}

/** The sum of all bytes of the header, with the sum's own eight as spaces. */
function checksumAgrees(header: Buffer): boolean {
  let sum = 8 * 0x20
  for (let at = 0; at < blockBytes; at++) if (at < 148 || at >= 156) sum += header[at] ?? 0
  return sum === numberIn(header, 148, 8)
}

function refuseCompressed(source: ByteSource, header: Buffer): void {
  if (header[0] === 0x1f && header[1] === 0x8b) {
    throw badSource(
      source,
      'the archive is compressed by gzip: no image in it can be read without all before it',
      'unpack it: gunzip x.tar.gz',
    )
  }
  if (header.length >= 4 && header.readUInt32LE(0) === 0xfd2fb528) {
    throw badSource(
      source,
      'the archive is compressed by zstd: no image in it can be read without all before it',
      'unpack it: unzstd x.tar.zst',
    )
  }
}

function damaged(source: ByteSource, at: number, what: string) {
  return badSource(source, `${what} (at byte ${at})`, 'fetch or pack the shard anew')
}
