/**
 * The few wire types of protocol buffers that an event file needs. A message is its fields one behind the other, so `Buffer.concat` of the
 * functions below is a message.
 */

const varintType = 0
const fixed64Type = 1
const lengthType = 2
const fixed32Type = 5

/** @param value a whole number from 0 to 2^53 - 1 */
export function int64Field(field: number, value: number): Uint8Array {
  return Buffer.concat([tag(field, varintType), varint(value)])
}

export function doubleField(field: number, value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([tag(field, fixed64Type), bytes])
}

/** NaN and the infinities stay what they are. */
export function floatField(field: number, value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return Buffer.concat([tag(field, fixed32Type), bytes])
}

export function stringField(field: number, value: string): Uint8Array {
  return bytesField(field, Buffer.from(value))
}

/** Raw bytes, or a message within a message. */
export function bytesField(field: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([tag(field, lengthType), varint(value.byteLength), value])
}

function tag(field: number, wireType: number): Uint8Array {
  return varint(field * 8 + wireType)
}

/** Seven bits a byte, lowest first. Divides instead of shifting: steps may pass 2^32. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Uint8Array.from([...bytes, rest])
}
