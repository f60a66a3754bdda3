/** A value of a curve at a step. */
export interface Point {
  readonly step: number
  readonly value: number
}

/** A stretch of a curve, as much as a picture can show of it. */
export interface Stretch {
  readonly step: number
  readonly mean: number
  readonly low: number
  readonly high: number
}

/**
 * A curve as at most `most` stretches of equally many points, in one pass: a run of a million steps is drawn as fast as a short one. Values
 * that are not finite are left out.
 */
export function stretchesOf(points: readonly Point[], most: number): Stretch[] {
  const size = Math.max(1, points.length / most)
  const stretches: Stretch[] = []
  for (let from = 0, next = 1; from < points.length; next++) {
    const to = Math.max(from + 1, Math.round(next * size))
    let [count, sum, low, high] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const { value } of points.slice(from, to)) {
      if (!Number.isFinite(value)) continue
      count++
      sum += value
      low = Math.min(low, value)
      high = Math.max(high, value)
    }
    const middle = points[Math.floor((from + Math.min(to, points.length) - 1) / 2)]
    if (count > 0 && middle) stretches.push({ step: middle.step, mean: sum / count, low, high })
    from = to
  }
  return stretches
}

/** Means over a window around each stretch; at the ends the window is cut. */
export function rollingMean(stretches: readonly Stretch[], window: number): Point[] {
  const half = Math.floor(window / 2)
  const sums = [0]
  for (const { mean } of stretches) sums.push((sums.at(-1) ?? 0) + mean)
  return stretches.map(({ step }, at) => {
    const [from, to] = [Math.max(0, at - half), Math.min(stretches.length, at + half + 1)]
    return { step, value: ((sums[to] ?? 0) - (sums[from] ?? 0)) / (to - from) }
  })
}
