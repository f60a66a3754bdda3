import type { Refuse } from './input-file.js'
import type { PickleObject, PickleValue } from './pickle.js'

/** Element type of a NumPy scalar, such as `f8`, with the byte order that its state tells. */
export class NumpyDtype implements PickleObject {
  isBigEndian = false

  constructor(readonly name: string) {}

  /** The state is (version, byte order, ...). */
  build(state: PickleValue): void {
    this.isBigEndian = Array.isArray(state) && state[1] === '>'
  }
}

/** Reads little-endian bytes by NumPy's names of element types. */
const readers: Readonly<Record<string, (bytes: Buffer) => number | bigint | boolean>> = {
  f8: (bytes) => bytes.readDoubleLE(),
  f4: (bytes) => bytes.readFloatLE(),
  i8: (bytes) => exact(bytes.readBigInt64LE()),
  u8: (bytes) => exact(bytes.readBigUInt64LE()),
  i4: (bytes) => bytes.readInt32LE(),
  u4: (bytes) => bytes.readUInt32LE(),
  i2: (bytes) => bytes.readInt16LE(),
  u2: (bytes) => bytes.readUInt16LE(),
  i1: (bytes) => bytes.readInt8(),
  u1: (bytes) => bytes.readUInt8(),
  b1: (bytes) => bytes.readUInt8() !== 0,
}

/**
 * The value of a pickled NumPy scalar such as a best accuracy; its bytes where the element type is another (complex, dates, text).
 * @throws the error of `refuse` when its bytes are too few
 */
export function numpyScalar(dtype: PickleValue | undefined, data: PickleValue | undefined, refuse: Refuse): PickleValue {
  if (!(dtype instanceof NumpyDtype)) throw refuse('a NumPy scalar has no element type')
  const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data // text where Python 2 wrote it
  if (!(bytes instanceof Uint8Array)) return null
  const read = Object.hasOwn(readers, dtype.name) ? readers[dtype.name] : undefined
  if (!read) return bytes
  if (bytes.length !== Number(dtype.name[1])) throw refuse(`a NumPy scalar ${dtype.name} has ${bytes.length} bytes`)
  const copy = Buffer.from(bytes)
  return read(dtype.isBigEndian ? copy.reverse() : copy)
}

function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}
