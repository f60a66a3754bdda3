import type { Dtype } from './safetensors-header.js'

/** The typed arrays that tensors of a file come in. */
export type TensorArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array

/**
 * Little-endian bytes as the typed array of their element type, without a copy; F16 and BF16 as their bits.
 * @param bytes begin at a multiple of the element size in their buffer
 */
export function typedArray(dtype: Dtype, bytes: Uint8Array): TensorArray {
  const { buffer, byteOffset, byteLength } = bytes
  switch (dtype) {
    case 'F64':
      return new Float64Array(buffer, byteOffset, byteLength / 8)
    case 'F32':
      return new Float32Array(buffer, byteOffset, byteLength / 4)
    case 'I64':
      return new BigInt64Array(buffer, byteOffset, byteLength / 8)
    case 'U64':
      return new BigUint64Array(buffer, byteOffset, byteLength / 8)
    case 'I32':
      return new Int32Array(buffer, byteOffset, byteLength / 4)
    case 'U32':
      return new Uint32Array(buffer, byteOffset, byteLength / 4)
    case 'I16':
      return new Int16Array(buffer, byteOffset, byteLength / 2)
    case 'F16':
    case 'BF16':
    case 'U16':
      return new Uint16Array(buffer, byteOffset, byteLength / 2)
    case 'I8':
      return new Int8Array(buffer, byteOffset, byteLength)
    case 'U8':
    case 'BOOL':
    case 'F8_E4M3':
    case 'F8_E5M2':
      return bytes
    default:
      return dtype satisfies never
  }
}

/** Little-endian bytes of a floating-point type as float32, or undefined for any other type (float8 included: nothing here makes it). */
export function float32From(dtype: Dtype, bytes: Uint8Array): Float32Array | undefined {
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    case 'F64':
      return Float32Array.from(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8))
    case 'BF16':
      return fromBits(bytes, (half) => half << 16)
    case 'F16':
      return fromBits(bytes, halfBits)
    default:
      return undefined
  }
}

function fromBits(bytes: Uint8Array, widen: (half: number) => number): Float32Array {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)
  const words = new Uint32Array(halves.length)
  for (let at = 0; at < halves.length; at++) words[at] = widen(halves[at] ?? 0)
  return new Float32Array(words.buffer)
}

/** Bits of the float32 with the value of a float16 (IEEE 754: 1 sign, 5 exponent, 10 fraction). */
function halfBits(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13)
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13)
  if (fraction === 0) return sign
  const shift = Math.clz32(fraction) - 21 // a subnormal: move its leading one to the hidden bit
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)
}
