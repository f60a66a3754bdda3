import { CaeError } from '../../errors.js'
import { type Matrix, matrix, solve } from './linear.js'

/** How values on a line become others: each new value (row) as weights of the old ones. Tables are resampled one axis after the other. */
export type AxisMap = Matrix

/** Keys' cubic convolution kernel at distance x. */
function keys(x: number, a: number): number {
  const d = Math.abs(x)
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1
  return d < 2 ? a * (d ** 3 - 5 * d ** 2 + 8 * d - 4) : 0
}

/**
 * Bicubic without antialiasing, A = -0.75, edges repeated (spec/baselines.md 10.1).
 * @param step old places a new one apart; by default the two sizes' ratio
 */
export function bicubic(from: number, to: number, step = from / to): AxisMap {
  return matrix(to, from, (row, col) => {
    const place = (row + 0.5) * step - 0.5
    let weight = 0
    for (let tap = Math.floor(place) - 1; tap <= Math.floor(place) + 2; tap++) {
      if (Math.min(Math.max(tap, 0), from - 1) === col) weight += keys(place - tap, -0.75)
    }
    return weight
  })
}

/** Bicubic with antialiasing, A = -0.5: the kernel is widened where the new line is coarser (spec/baselines.md 10.1). */
export function antialiasedBicubic(from: number, to: number): AxisMap {
  const step = from / to
  const width = Math.max(step, 1)
  return matrix(to, from, (row, col) => {
    const centre = step * (row + 0.5)
    const begin = Math.max(0, Math.trunc(centre - 2 * width + 0.5))
    const end = Math.min(from, Math.trunc(centre + 2 * width + 0.5))
    const weight = (tap: number) => keys((tap - centre + 0.5) / width, -0.5)
    let sum = 0
    for (let tap = begin; tap < end; tap++) sum += weight(tap)
    return col >= begin && col < end ? weight(col) / sum : 0
  })
}

/**
 * The interpolating cubic spline with not-a-knot ends through values at `knots`, read at `places`; places outside are moved to the ends.
 * @throws {CaeError} ERR_CAE_SHAPE for fewer than four knots
 */
export function spline(knots: readonly number[], places: readonly number[]): AxisMap {
  const n = knots.length
  if (n < 4) throw new CaeError('ERR_CAE_SHAPE', { what: `a cubic spline wants 4 knots, here are ${n}: the grid is too small to resample` })
  const x = (i: number) => knots[i] ?? 0
  const gap = (i: number) => x(i + 1) - x(i)
  // Second derivatives m solve left · m = right · values; at the ends the third derivative does not jump.
  const left = matrix(n, n, (i, j) => {
    const inner = Math.min(Math.max(i, 1), n - 2)
    const [before, after] = [gap(inner - 1), gap(inner)]
    if (i === inner) return [before, 2 * (before + after), after][j - i + 1] ?? 0
    return [after, -(before + after), before][j - inner + 1] ?? 0
  })
  const right = matrix(n, n, (i, j) => {
    if (i === 0 || i === n - 1) return 0
    const [before, after] = [6 / gap(i - 1), 6 / gap(i)]
    return [before, -before - after, after][j - i + 1] ?? 0
  })
  const second = solve(left, right)
  return places.map((place) => {
    const t = Math.min(Math.max(place, x(0)), x(n - 1))
    let i = 0
    while (i < n - 2 && t > x(i + 1)) i++
    const h = gap(i)
    const [a, b] = [(x(i + 1) - t) / h, (t - x(i)) / h]
    const [curveA, curveB] = [((a ** 3 - a) * h * h) / 6, ((b ** 3 - b) * h * h) / 6]
    return Float64Array.from({ length: n }, (_, j) => {
      const straight = j === i ? a : j === i + 1 ? b : 0
      return straight + curveA * (second[i]?.[j] ?? 0) + curveB * (second[i + 1]?.[j] ?? 0)
    })
  })
}
