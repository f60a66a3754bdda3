import { CaeError } from '../../errors.js'
import type { F32Tensor } from '../../native/types.js'
import { type AxisMap, antialiasedBicubic, bicubic, spline } from './axis.js'
import { pseudoInverse, transpose } from './linear.js'

/** Rows and columns of patches. */
export type Grid = readonly [rows: number, cols: number]

/**
 * How an origin's own loader resamples a table of absolute positions (spec/baselines.md 10.1, 10.2): `plain` bicubic (MAE, DeiT, BEiT, Hugging
 * Face), `antialiased` (timm), or with DINO's tenth of a patch in the scale.
 */
export type PositionResampling = 'plain' | 'antialiased' | 'dino'

const axisMaps: Readonly<Record<PositionResampling, (from: number, to: number) => AxisMap>> = {
  plain: bicubic,
  antialiased: antialiasedBicubic,
  dino: (from, to) => bicubic(from, to, from / (to + 0.1)),
}

/**
 * A position table for another grid; the class token's row stays.
 * @param table `[1, 1 + from rows * from cols, D]`
 */
export function resamplePositions(table: F32Tensor, from: Grid, to: Grid, rule: PositionResampling): F32Tensor {
  const dim = table.shape[2] ?? 0
  const map = axisMaps[rule]
  const patches = resampleGrid(table.data.subarray(dim), from, dim, map(from[0], to[0]), map(from[1], to[1]))
  const data = new Float32Array((1 + to[0] * to[1]) * dim)
  data.set(table.data.subarray(0, dim))
  data.set(patches, dim)
  return { data, shape: [1, 1 + to[0] * to[1], dim] }
}

/**
 * A relative position table for another square grid, as BEiT's fine-tuning does it: a spline over distances that grow geometrically, so that
 * near offsets keep their meaning (spec/baselines.md 10.3). The class token's three rows stay.
 * @param table `[(2 from - 1)² + 3, heads]`
 * @throws {CaeError} ERR_CAE_SHAPE for a grid of one patch
 */
export function resampleRelative(table: F32Tensor, from: number, to: number): F32Tensor {
  const heads = table.shape[1] ?? 0
  const [oldSide, newSide] = [2 * from - 1, 2 * to - 1]
  if (oldSide === newSide) return table
  const half = Math.floor(oldSide / 2)
  const reach = Math.floor(newSide / 2)
  const ahead = geometricDistances(half, reach)
  const knots = [...[...ahead].reverse().map((d) => -d), 0, ...ahead]
  const map = spline(
    knots,
    Array.from({ length: newSide }, (_, i) => i - reach),
  )
  const offsets = resampleGrid(table.data.subarray(0, oldSide ** 2 * heads), [oldSide, oldSide], heads, map, map)
  const data = new Float32Array((newSide ** 2 + 3) * heads)
  data.set(offsets)
  data.set(table.data.subarray(oldSide ** 2 * heads), newSide ** 2 * heads)
  return { data, shape: [newSide ** 2 + 3, heads] }
}

/** Sums 1, 1 + q, 1 + q + q², ... of which the last is about `reach`. */
function geometricDistances(count: number, reach: number): number[] {
  let [low, high, q] = [1.01, 1.5, 1.01]
  while (high - low > 1e-6) {
    q = (low + high) / 2
    if ((1 - q ** count) / (1 - q) > reach) high = q
    else low = q
  }
  const distances: number[] = []
  let distance = 1
  for (let i = 0; i < count; i++) {
    distances.push(distance)
    distance += q ** (i + 1)
  }
  return distances
}

/**
 * A patch kernel of another size that gives, on patches resized to it, what the old one gave (FlexiViT; spec/baselines.md 10.4): the old kernel
 * times the pseudo-inverse of an antialiased bicubic resize, which falls apart into one for rows and one for columns.
 * @param kernel `[D, C, rows, cols]`
 */
export function resampleKernel(kernel: F32Tensor, to: Grid): F32Tensor {
  const [dim = 0, channels = 0, rows = 0, cols = 0] = kernel.shape
  const inverse = (from: number, size: number) => transpose(pseudoInverse(antialiasedBicubic(from, size)))
  const [rowMap, colMap] = [inverse(rows, to[0]), inverse(cols, to[1])]
  const data = new Float32Array(dim * channels * to[0] * to[1])
  for (let plane = 0; plane < dim * channels; plane++) {
    const old = kernel.data.subarray(plane * rows * cols, (plane + 1) * rows * cols)
    data.set(resampleGrid(old, [rows, cols], 1, rowMap, colMap), plane * to[0] * to[1])
  }
  return { data, shape: [dim, channels, ...to] }
}

/** Both axes of `[rows, cols, channels]`. */
function resampleGrid(data: Float32Array, [rows, cols]: Grid, channels: number, rowMap: AxisMap, colMap: AxisMap): Float64Array {
  if (data.length !== rows * cols * channels) {
    throw new CaeError('ERR_CAE_SHAPE', { what: `a table of ${data.length} numbers is not ${rows} x ${cols} x ${channels}` })
  }
  const line = cols * channels
  const tall = new Float64Array(rowMap.length * line)
  for (const [row, weights] of rowMap.entries()) {
    for (const [from, weight] of weights.entries()) {
      if (weight === 0) continue
      for (let k = 0; k < line; k++) tall[row * line + k] = (tall[row * line + k] ?? 0) + weight * (data[from * line + k] ?? 0)
    }
  }
  const out = new Float64Array(rowMap.length * colMap.length * channels)
  for (let row = 0; row < rowMap.length; row++) {
    for (const [col, weights] of colMap.entries()) {
      const at = (row * colMap.length + col) * channels
      for (const [from, weight] of weights.entries()) {
        if (weight === 0) continue
        const source = row * line + from * channels
        for (let c = 0; c < channels; c++) out[at + c] = (out[at + c] ?? 0) + weight * (tall[source + c] ?? 0)
      }
    }
  }
  return out
}
