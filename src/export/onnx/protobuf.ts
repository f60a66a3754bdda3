/** The protocol buffers wire format, as much of it as writing an ONNX file takes: varints, 32-bit floats and length-delimited fields. */

/** A message in the making. Large data is referred to, not copied. */
export interface Message {
  readonly bytes: number
  readonly pieces: readonly Uint8Array[]
}

const wireVarint = 0
const wireLengthDelimited = 2
const wire32 = 5

/** Fields one after another. */
export function join(...fields: readonly Message[]): Message {
  return { bytes: fields.reduce((sum, { bytes }) => sum + bytes, 0), pieces: fields.flatMap(({ pieces }) => pieces) }
}

/** An integer of at least 0, or an enumeration. */
export function int(field: number, value: number): Message {
  return raw(Buffer.from([...varint(tag(field, wireVarint)), ...varint(value)]))
}

/** An integer that may be negative: ten bytes of two's complement then. */
export function signed(field: number, value: number): Message {
  return raw(Buffer.from([...varint(tag(field, wireVarint)), ...varint(BigInt.asUintN(64, BigInt(value)))]))
}

export function float(field: number, value: number): Message {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return raw(Buffer.from([...varint(tag(field, wire32)), ...bytes]))
}

export function text(field: number, value: string): Message {
  return bytes(field, Buffer.from(value))
}

export function bytes(field: number, value: Uint8Array): Message {
  return message(field, raw(value))
}

/** A message within a message. */
export function message(field: number, ...fields: readonly Message[]): Message {
  const content = join(...fields)
  return join(raw(Buffer.from([...varint(tag(field, wireLengthDelimited)), ...varint(content.bytes)])), content)
}

function raw(piece: Uint8Array): Message {
  return { bytes: piece.byteLength, pieces: [piece] }
}

function tag(field: number, wire: number): number {
  return field * 8 + wire
}

function varint(value: number | bigint): number[] {
  const out: number[] = []
  let rest = BigInt(value)
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  out.push(Number(rest))
  return out
}
