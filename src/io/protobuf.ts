/** The protocol buffers wire format, as much of it as TensorBoard's event files and ONNX take. */

/** A message in the making: its fields one behind the other. Large values are referred to, not copied. */
export interface Message {
  readonly bytes: number
  readonly pieces: readonly Uint8Array[]
}

const varintType = 0
const fixed64Type = 1
const lengthType = 2
const fixed32Type = 5

/** Fields one behind the other. */
export function join(...fields: readonly Message[]): Message {
  return { bytes: fields.reduce((sum, { bytes }) => sum + bytes, 0), pieces: fields.flatMap(({ pieces }) => pieces) }
}

/** @param value a whole number between -2^53 and 2^53; a negative one takes ten bytes, as two's complement */
export function int(field: number, value: number): Message {
  return whole(tag(field, varintType), varint(value < 0 ? BigInt.asUintN(64, BigInt(value)) : value))
}

export function double(field: number, value: number): Message {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return whole(tag(field, fixed64Type), bytes)
}

/** NaN and the infinities stay what they are. */
export function float(field: number, value: number): Message {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return whole(tag(field, fixed32Type), bytes)
}

export function text(field: number, value: string): Message {
  return bytes(field, Buffer.from(value))
}

export function bytes(field: number, value: Uint8Array): Message {
  return message(field, { bytes: value.byteLength, pieces: [value] })
}

/** A message within a message. */
export function message(field: number, ...fields: readonly Message[]): Message {
  const content = join(...fields)
  return join(whole(tag(field, lengthType), varint(content.bytes)), content)
}

/** The bytes of a message in one piece. */
export function toBytes({ pieces }: Message): Uint8Array {
  return Buffer.concat(pieces)
}

function whole(...pieces: readonly Uint8Array[]): Message {
  const piece = Buffer.concat(pieces)
  return { bytes: piece.byteLength, pieces: [piece] }
}

function tag(field: number, wireType: number): Uint8Array {
  return varint(field * 8 + wireType)
}

/** Seven bits a byte, lowest first. In big integers: steps may pass 2^32. */
function varint(value: number | bigint): Uint8Array {
  const out: number[] = []
  let rest = BigInt(value)
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return Uint8Array.from([...out, Number(rest)])
}
