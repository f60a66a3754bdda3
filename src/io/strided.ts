import { elementCount } from './safetensors-header.js'
import { type ReadInto, readBytes } from './tensor-bytes.js'

/** A tensor's layout in the file: strides and sizes in elements of `elementBytes`. */
export interface Layout {
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly elementBytes: number
}

/** A dimension as it is walked: `from` and `to` are the steps in the file and in the row-major result, in units. */
interface Axis {
  readonly size: number
  readonly from: number
  readonly to: number
}

/** Units that are moved at a time; 8-byte elements are pairs of them, since no array type moves 8 bytes bit for bit as fast. */
type Units = Uint8Array | Uint16Array | Uint32Array

/** Bytes of the file that are read at once, where elements of one tensor lie apart. */
const pieceBytes = 16 << 20
/** Rows that begin farther apart than this are read one by one: what lies between is another tensor's. */
const farApart = 64 << 10

/** Whether elements lie in row-major order without gaps. */
export function isContiguous({ shape, strides }: Layout): boolean {
  let step = 1
  for (let at = shape.length - 1; at >= 0; at--) {
    const size = shape[at] ?? 0
    if (size === 0) return true
    if (size > 1 && strides[at] !== step) return false
    step *= size
  }
  return true
}

/**
 * Elements of any layout as row-major bytes: transposed, sliced or repeated ones. Reads in pieces, so that a thin slice of a large storage
 * takes little memory.
 * @returns undefined for a large tensor whose elements overlap other than by repetition
 */
export async function readStrided(layout: Layout, read: ReadInto): Promise<Uint8Array | undefined> {
  const { shape, elementBytes } = layout
  const count = elementCount(shape)
  const target = unitsOf(new Uint8Array(count * elementBytes), elementBytes)
  const axes = axesOf(layout)
  if (spanOf(axes) * target.BYTES_PER_ELEMENT > pieceBytes && overlaps(axes)) return undefined
  if (count > 0) await gather(axes, 0, 0, target, read)
  return new Uint8Array(target.buffer)
}

/** Axes with more than one element, the widest steps first. */
function axesOf({ shape, strides, elementBytes }: Layout): Axis[] {
  const units = elementBytes === 8 ? 2 : 1
  const axes: Axis[] = units === 2 ? [{ size: 2, from: 1, to: 1 }] : []
  let to = units
  for (let at = shape.length - 1; at >= 0; at--) {
    const size = shape[at] ?? 0
    if (size > 1) axes.push({ size, from: (strides[at] ?? 0) * units, to })
    to *= size
  }
  return axes.sort((a, b) => b.from - a.from)
}

async function gather(axes: readonly Axis[], from: number, to: number, target: Units, read: ReadInto): Promise<void> {
  const unitBytes = target.BYTES_PER_ELEMENT
  const span = spanOf(axes)
  if (span * unitBytes <= pieceBytes) {
    const source = unitsOf(await readBytes(span * unitBytes, (piece, offset) => read(piece, from * unitBytes + offset)), unitBytes)
    scatter(axes, 0, source, 0, target, to)
    return
  }
  const [outer, ...rest] = axes
  if (!outer) return
  const room = pieceBytes / unitBytes - spanOf(rest)
  const rows = outer.from * unitBytes > farApart || room < outer.from ? 1 : 1 + Math.floor(room / outer.from)
  for (let row = 0; row < outer.size; row += rows) {
    const size = Math.min(rows, outer.size - row)
    await gather(size === 1 ? rest : [{ ...outer, size }, ...rest], from + row * outer.from, to + row * outer.to, target, read)
  }
}

/** Moves a piece that is in memory. As many levels deep as there are axes. */
function scatter(axes: readonly Axis[], level: number, source: Units, from: number, target: Units, to: number): void {
  const axis = axes[level]
  if (!axis) {
    target[to] = source[from] ?? 0
    return
  }
  const isLast = level === axes.length - 1
  for (let at = 0; at < axis.size; at++) {
    if (isLast) target[to + at * axis.to] = source[from + at * axis.from] ?? 0
    else scatter(axes, level + 1, source, from + at * axis.from, target, to + at * axis.to)
  }
}

/** Units from the first to the last, both included. */
function spanOf(axes: readonly Axis[]): number {
  return axes.reduce((last, { size, from }) => last + (size - 1) * from, 0) + 1
}

/** Whether steps of one axis reach into those of another; an axis of step 0 only repeats. */
function overlaps(axes: readonly Axis[]): boolean {
  let span = 1
  for (const { size, from } of axes.filter((axis) => axis.from > 0).reverse()) {
    if (from < span) return true
    span += (size - 1) * from
  }
  return false
}

function unitsOf(bytes: Uint8Array, elementBytes: number): Units {
  const { buffer, byteOffset, byteLength } = bytes
  if (elementBytes === 1) return bytes
  if (elementBytes === 2) return new Uint16Array(buffer, byteOffset, byteLength / 2)
  return new Uint32Array(buffer, byteOffset, byteLength / 4)
}
