/** Scores of `n` samples over `classes` classes, row by row. */
export interface Scores {
  readonly data: Float32Array | Float64Array
  readonly classes: number
}

/**
 * How many samples have their label among the `top` best-scored classes. Of equal scores the lower class comes first, so that the figure
 * does not depend on how something was sorted.
 * @param labels one class a row of `scores`
 */
export function countRight(scores: Scores, labels: Int32Array, top: number): number {
  let right = 0
  for (let row = 0; row < labels.length; row++) if (rankOf(scores, row, labels[row] ?? -1) < top) right++
  return right
}

/** The best-scored class of every row. */
export function bestClasses({ data, classes }: Scores): Int32Array {
  const best = new Int32Array(data.length / classes)
  for (let row = 0; row < best.length; row++) {
    for (let c = 1; c < classes; c++) {
      if ((data[row * classes + c] ?? 0) > (data[row * classes + (best[row] ?? 0)] ?? 0)) best[row] = c
    }
  }
  return best
}

/** How many classes of the row come before `label`; a score that is not a number comes last. */
function rankOf({ data, classes }: Scores, row: number, label: number): number {
  const own = data[row * classes + label] ?? Number.NaN
  let rank = 0
  for (let c = 0; c < classes; c++) {
    const other = data[row * classes + c] ?? Number.NaN
    const after = other < own || (other === own && c >= label)
    if (c !== label && !after) rank++
  }
  return rank
}
