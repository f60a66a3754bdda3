import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { writeFileAtomic } from '../../io/atomic-write.js'
import { sha256 } from '../../io/checksum.js'
import { PackedStrings } from '../packed-strings.js'
import { type ByteSource, isUrl } from './byte-source.js'
import type { TarIndex } from './tar-index.js'

/** An index and the checksum of what it says: the same for a shard that was moved, another where anything in it was. */
export interface KeptIndex extends TarIndex {
  readonly sha256: string
}

/** What a kept index is of, and the lengths of its parts. */
interface Header {
  readonly format: 1
  readonly name: string
  readonly size: number
  readonly version: string
  readonly image: string | null
  readonly samples: number
  readonly nameBytes: number
  readonly withoutImage: number
  readonly sha256: string
}

const headerLengthBytes = 8

/**
 * Where the index of a shard is kept: by its full name and by how it was read, so that two folders with equal names do not meet.
 * @returns undefined where nothing tells whether the shard has changed: no index of it can be kept
 */
export function indexPath(folder: string, source: ByteSource, image: string | undefined): string | undefined {
  if (source.version === undefined) return undefined
  const name = isUrl(source.name) ? source.name : resolve(source.name)
  return join(folder, `${sha256(JSON.stringify([name, image ?? null])).slice(0, 32)}.taridx`)
}

/** The kept index of the shard as it is now; undefined where there is none, or only that of an older one. */
export async function readIndex(path: string, source: ByteSource, image: string | undefined): Promise<KeptIndex | undefined> {
  const file = await readFile(path).catch(() => undefined)
  if (file === undefined || file.length < headerLengthBytes) return undefined
  const start = headerLengthBytes + Number(file.readBigUInt64LE(0))
  if (!(start <= file.length)) return undefined
  const header = parseHeader(file.toString('utf8', headerLengthBytes, start))
  if (header === undefined || header.size !== source.size || header.version !== source.version || header.image !== (image ?? null))
    return undefined
  const body = new Uint8Array(file.subarray(start)).buffer // a copy: the arrays below want its alignment
  if (sha256(new Uint8Array(body)) !== header.sha256 || body.byteLength !== 20 * header.samples + header.nameBytes) return undefined
  return { ...bodyParts(body, header.samples), withoutImage: header.withoutImage, sha256: header.sha256 }
}

/** Gives an index its checksum and keeps it. @throws {CaeError} ERR_CAE_OUTPUT when it cannot be written */
export async function writeIndex(path: string, source: ByteSource, image: string | undefined, index: KeptIndex): Promise<void> {
  const { length: samples } = index.sizes
  const { size, version = '', name } = source
  const { withoutImage, sha256: sum } = index
  const nameBytes = index.names.bytes.length
  const header: Header = { format: 1, name, size, version, image: image ?? null, samples, nameBytes, withoutImage, sha256: sum }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(headerLengthBytes)
  length.writeBigUInt64LE(BigInt(text.length))
  await mkdir(join(path, '..'), { recursive: true })
  await writeFileAtomic(path, Buffer.concat([length, text, bodyOf(index)]))
}

/** An index with the checksum of what it says. */
export function withChecksum(index: TarIndex): KeptIndex {
  return { ...index, sha256: sha256(bodyOf(index)) }
}

/** Offsets (8 bytes each), sizes, labels, ends of names (4 each), names; in this machine's byte order, which is little-endian wherever Node runs. */
function bodyOf({ offsets, sizes, labels, names }: TarIndex): Buffer {
  return Buffer.concat([offsets, sizes, labels, names.ends, names.bytes].map(bytesOf))
}

function bytesOf(array: Uint8Array | Uint32Array | Int32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

function bodyParts(body: ArrayBuffer, samples: number): Omit<TarIndex, 'withoutImage'> {
  const ends = new Uint32Array(body, 16 * samples, samples)
  return {
    offsets: new Float64Array(body, 0, samples),
    sizes: new Uint32Array(body, 8 * samples, samples),
    labels: new Int32Array(body, 12 * samples, samples),
    names: new PackedStrings({ bytes: Buffer.from(body, 20 * samples), ends }),
  }
}

/** Undefined for one of another version, and for anything else. */
function parseHeader(text: string): Header | undefined {
  try {
    const header: Header = JSON.parse(text)
    return header.format === 1 ? header : undefined
  } catch {
    return undefined
  }
}
