import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'

import { CaeError } from '../../errors.js'
import { sha256 } from '../../io/checksum.js'
import { messageOf, systemCode } from '../../io/output-error.js'
import type { Dataset, RawImage } from '../dataset.js'

export interface IdxOptions {
  /** File of the classes; `false`: none. Default: the one beside the images, `...-labels-idx1-ubyte` for `...-images-idx3-ubyte`. */
  readonly labels?: string | false | undefined
  readonly signal?: AbortSignal | undefined
}

/** The numbers in an IDX file, and how they are laid out. */
interface IdxArray {
  /** Images, rows, columns; or labels. */
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** Type code of unsigned bytes, the only one that the MNIST family has. */
const unsignedBytes = 0x08

/**
 * Images of the MNIST family: an `idx3-ubyte` file of grey images and an `idx1-ubyte` file of their classes, plain or gzip. The whole set is kept
 * in memory, as it is in the file. Images are given as RGB.
 * @example
 * const digits = await idx('mnist/train-images-idx3-ubyte.gz')
 * @throws {CaeError} ERR_CAE_DATA when a file is missing, is no such file, or the two do not fit together
 */
export async function idx(images: string, options: IdxOptions = {}): Promise<Dataset> {
  const { data, shape } = await readIdx(images, 3, options.signal)
  const [length = 0, height = 0, width = 0] = shape
  if (length === 0 || height * width === 0) throw bad(images, `the file holds ${length} images of ${width} x ${height} pixels`)
  const labels = await labelsOf(images, length, options)
  return {
    length,
    fingerprint: sha256(sha256(data) + (labels === undefined ? '' : sha256(labels))),
    get: (index) => toRgb(data, checked(index, length), width, height),
    name: (index) => `${images}#${index}`,
    ...(labels && { label: (index: number) => labels[index] }),
  }
}

function toRgb(data: Uint8Array, index: number, width: number, height: number): RawImage {
  const pixels = width * height
  const rgb = new Uint8Array(3 * pixels)
  for (let pixel = 0, from = index * pixels; pixel < pixels; pixel++, from++) rgb.fill(data[from] ?? 0, 3 * pixel, 3 * pixel + 3)
  return { data: rgb, width, height, channels: 3 }
}

function checked(index: number, length: number): number {
  if (Number.isInteger(index) && index >= 0 && index < length) return index
  throw new CaeError('ERR_CAE_DATA', { what: `image ${index} asked of a set of ${length}`, todo: `use 0 to ${length - 1}` })
}

async function labelsOf(images: string, length: number, { labels, signal }: IdxOptions): Promise<Uint8Array | undefined> {
  if (labels === false) return undefined
  const beside = images.replace(/images([-.])idx3(?=-ubyte(\.gz)?$)/, 'labels$1idx1')
  const path = labels ?? (beside === images ? undefined : beside)
  if (path === undefined) return undefined
  const read = await readIdx(path, 1, signal).catch((error: unknown) => {
    if (labels === undefined && error instanceof CaeError && systemCode(error.cause) === 'ENOENT') return undefined // images alone are a set
    throw error
  })
  if (read !== undefined && read.shape[0] !== length) throw bad(path, `${read.shape[0]} labels for ${length} images`)
  return read?.data
}

async function readIdx(path: string, dimensions: number, signal: AbortSignal | undefined): Promise<IdxArray> {
  const bytes = await unpacked(path, signal)
  const start = 4 + 4 * dimensions
  if (bytes.length < start || bytes.readUInt16BE(0) !== 0) throw bad(path, 'this is no IDX file')
  if (bytes[2] !== unsignedBytes || bytes[3] !== dimensions) {
    throw bad(
      path,
      `an IDX file of type 0x${bytes[2]?.toString(16)} with ${bytes[3]} dimensions, expected unsigned bytes with ${dimensions}`,
    )
  }
  const shape = Array.from({ length: dimensions }, (_, at) => bytes.readUInt32BE(4 + 4 * at))
  const wanted = shape.reduce((product, count) => product * count, 1)
  const data = bytes.subarray(start)
  if (data.length !== wanted)
    throw bad(path, `the IDX file says ${shape.join(' x ')} bytes, and holds ${data.length}: it is cut short or damaged`)
  return { shape, data }
}

async function unpacked(path: string, signal: AbortSignal | undefined): Promise<Buffer> {
  try {
    const bytes = await readFile(path, signal ? { signal } : {})
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? await promisify(gunzip)(bytes) : bytes
  } catch (error) {
    signal?.throwIfAborted()
    throw new CaeError('ERR_CAE_DATA', { what: `cannot read the images: ${messageOf(error)}`, where: path }, { cause: error })
  }
}

function bad(path: string, what: string): CaeError {
  return new CaeError('ERR_CAE_DATA', { what, where: path })
}
