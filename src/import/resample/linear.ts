import { CaeError } from '../../errors.js'

/** A small dense matrix, one array a row, in float64. */
export type Matrix = readonly Float64Array[]

/** A `rows` x `cols` matrix of `value(row, col)`. */
export function matrix(rows: number, cols: number, value: (row: number, col: number) => number): Matrix {
  return Array.from({ length: rows }, (_, row) => Float64Array.from({ length: cols }, (_, col) => value(row, col)))
}

export function transpose(a: Matrix): Matrix {
  return matrix(a[0]?.length ?? 0, a.length, (row, col) => a[col]?.[row] ?? 0)
}

export function multiply(a: Matrix, b: Matrix): Matrix {
  return matrix(a.length, b[0]?.length ?? 0, (row, col) => {
    let sum = 0
    for (let k = 0; k < b.length; k++) sum += (a[row]?.[k] ?? 0) * (b[k]?.[col] ?? 0)
    return sum
  })
}

/**
 * Solves a · x = b by elimination with row exchanges.
 * @throws {CaeError} ERR_CAE_SHAPE where `a` cannot be inverted
 */
export function solve(a: Matrix, b: Matrix): Matrix {
  const size = a.length
  const rows = a.map((row, i) => Float64Array.from([...row, ...(b[i] ?? [])]))
  const at = (row: number, col: number) => rows[row]?.[col] ?? 0
  const scale = Math.max(...a.map((row) => Math.max(...row.map(Math.abs))))
  for (let col = 0; col < size; col++) {
    let pivot = col
    for (let row = col + 1; row < size; row++) if (Math.abs(at(row, col)) > Math.abs(at(pivot, col))) pivot = row
    if (Math.abs(at(pivot, col)) <= 1e-12 * scale) {
      throw new CaeError('ERR_CAE_SHAPE', { what: 'these sizes cannot be resampled: the equations have no single solution' })
    }
    const [lead, other] = [rows[pivot], rows[col]]
    if (!lead || !other) continue // the matrix is square
    rows[pivot] = other
    rows[col] = lead
    for (const [row, target] of rows.entries()) {
      if (row === col) continue
      const factor = (target[col] ?? 0) / (lead[col] ?? 1)
      if (factor !== 0) for (let k = col; k < target.length; k++) target[k] = (target[k] ?? 0) - factor * (lead[k] ?? 0)
    }
  }
  return rows.map((row, i) => row.slice(size).map((value) => value / (row[i] ?? 1)))
}

/** The Moore-Penrose inverse of a matrix whose rows, or whose columns, are independent. */
export function pseudoInverse(a: Matrix): Matrix {
  const t = transpose(a)
  const isWide = a.length <= t.length
  // Wide: aᵀ (a aᵀ)⁻¹, and the bracket is symmetric. Tall: (aᵀ a)⁻¹ aᵀ.
  return isWide ? transpose(solve(multiply(a, t), a)) : solve(multiply(t, a), t)
}
