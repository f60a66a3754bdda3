import type { Refuse } from './input-file.js'

/** Thrown where the bytes end before the pickle does: more of the file may have to be read. */
export class RanOut extends Error {}

/** Longest name of a module or of something in it. */
const longestName = 200
/** Largest integer, in bytes: no number of a checkpoint is larger, and conversion is not linear in them. */
const longestInteger = 256

/** Reads the arguments of opcodes. Little-endian throughout, but for `double`. */
export class PickleBytes {
  constructor(
    private readonly buffer: Buffer,
    /** Where the next read begins. */
    public at: number,
  ) {}

  byte(): number {
    return this.buffer.readUInt8(this.advance(1))
  }

  uint16(): number {
    return this.buffer.readUInt16LE(this.advance(2))
  }

  uint32(): number {
    return this.buffer.readUInt32LE(this.advance(4))
  }

  int32(): number {
    return this.buffer.readInt32LE(this.advance(4))
  }

  /** Big-endian, as Python writes it. */
  double(): number {
    return this.buffer.readDoubleBE(this.advance(8))
  }

  /** A length of 8 bytes. */
  length64(refuse: Refuse): number {
    const length = this.buffer.readBigUInt64LE(this.advance(8))
    if (length > Number.MAX_SAFE_INTEGER) throw refuse(`its pickle has an item of ${length} bytes`)
    return Number(length)
  }

  /** An integer in two's complement; a bigint when a number cannot hold it exactly. */
  long(bytes: number, refuse: Refuse): number | bigint {
    if (bytes > longestInteger) throw refuse(`its pickle has an integer of ${bytes} bytes`)
    if (bytes === 0) return 0
    const start = this.advance(bytes)
    const digits = Buffer.from(this.buffer.subarray(start, start + bytes)).reverse()
    const value = BigInt.asIntN(8 * bytes, BigInt(`0x${digits.toString('hex')}`))
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }

  text(bytes: number): string {
    const start = this.advance(bytes)
    return this.buffer.toString('utf8', start, start + bytes)
  }

  /** Bytes as text, one character each: nothing is lost whatever the encoding was. */
  latin1(bytes: number): string {
    const start = this.advance(bytes)
    return this.buffer.toString('latin1', start, start + bytes)
  }

  bytes(count: number): Uint8Array {
    const start = this.advance(count)
    return new Uint8Array(this.buffer.subarray(start, start + count)) // a copy: the buffer is let go of
  }

  /** Text up to the end of the line. */
  line(refuse: Refuse): string {
    const end = this.buffer.subarray(this.at, this.at + longestName).indexOf(0x0a)
    if (end < 0 && this.buffer.length - this.at >= longestName) throw refuse('its pickle names a global without an end')
    if (end < 0) throw new RanOut()
    const line = this.text(end)
    this.at += 1
    return line
  }

  /** Moves on; returns where it was. */
  private advance(bytes: number): number {
    if (this.at + bytes > this.buffer.length) throw new RanOut()
    this.at += bytes
    return this.at - bytes
  }
}
