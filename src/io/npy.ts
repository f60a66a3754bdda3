import { CaeError } from '../errors.js'
import { type FileSink, writeFileAtomic } from './atomic-write.js'

/** Element types of `.npy` files written here, as NumPy spells them. */
const descriptors = { float32: '<f4', float64: '<f8', int32: '<i4', int64: '<i8', uint8: '|u1' } as const

/** What a `.npy` file holds: one row-major array. */
export interface NpyArray {
  readonly dtype: keyof typeof descriptors
  readonly shape: readonly number[]
  /** All of the data, or pieces of it in order, such as one batch of rows after the other. */
  readonly data: ArrayBufferView | AsyncIterable<ArrayBufferView> | Iterable<ArrayBufferView>
}

/**
 * Writes a NumPy array file (format version 1.0), in place in one step.
 * @throws {CaeError} ERR_CAE_OUTPUT when it cannot be written, ERR_CAE_SHAPE when the data is not as long as the shape says
 */
export async function writeNpy(path: string, array: NpyArray): Promise<void> {
  return writeFileAtomic(path, async (sink) => {
    await sink.write(npyHeader(array))
    const bytes = await writePieces(sink, array.data)
    const wanted = array.shape.reduce((product, size) => product * size, elementBytes(array.dtype))
    if (bytes !== wanted) {
      throw new CaeError('ERR_CAE_SHAPE', {
        what: `[${array.shape.join(', ')}] ${array.dtype} takes ${wanted} bytes, the data has ${bytes}`,
        where: path,
      })
    }
  })
}

async function writePieces(sink: FileSink, data: NpyArray['data']): Promise<number> {
  let bytes = 0
  for await (const piece of ArrayBuffer.isView(data) ? [data] : data) {
    await sink.write(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
    bytes += piece.byteLength
  }
  return bytes
}

/** Magic, version, length, then a Python dict padded so that the data starts at a multiple of 64 (numpy.lib.format). */
function npyHeader({ dtype, shape }: NpyArray): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const dict = `{'descr': '${descriptors[dtype]}', 'fortran_order': False, 'shape': (${sizes}), }`
  const total = Math.ceil((10 + dict.length + 1) / 64) * 64
  const header = Buffer.alloc(total, ' ')
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0])
  header.writeUInt16LE(total - 10, 8)
  header.write(dict, 10)
  header.write('\n', total - 1)
  return header
}

function elementBytes(dtype: NpyArray['dtype']): number {
  return Number(descriptors[dtype].at(-1))
}
