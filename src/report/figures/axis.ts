/** Maps values of one axis to [0, 1] and says where its marks stand. */
export interface Axis {
  place(value: number): number
  readonly ticks: readonly { readonly value: number; readonly label: string }[]
}

/**
 * An axis with marks at 1, 2 or 5 times a power of ten.
 * @param most about this many marks at most
 */
export function linearAxis(low: number, high: number, most: number): Axis {
  const span = high - low || 1
  const raw = span / most
  const power = 10 ** Math.floor(Math.log10(raw))
  const unit = ([1, 2, 5].find((factor) => factor * power >= raw * 0.999) ?? 10) * power
  const first = Math.ceil(low / unit - 1e-9)
  const last = Math.floor(high / unit + 1e-9)
  const digits = Math.max(0, -Math.floor(Math.log10(unit) + 1e-9))
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => {
    const value = (first + at) * unit
    return { value, label: tickLabel(value, digits) }
  })
  return { place: (value) => (value - low) / span, ticks }
}

/** A logarithmic axis over positive values, with marks at powers of ten, and at 2 and 5 times them when it spans few decades. */
export function logAxis(low: number, high: number): Axis {
  const [from, to] = [Math.log10(low), Math.log10(high)]
  const factors = to - from > 3 ? [1] : [1, 2, 5]
  const values: number[] = []
  for (let power = Math.floor(from); power <= Math.ceil(to); power++) {
    for (const factor of factors) {
      const value = Number(`${factor}e${power}`) // 10 ** -6 is not 1e-6
      if (value >= low * 0.999 && value <= high * 1.001) values.push(value)
    }
  }
  const ticks = values.map((value) => ({ value, label: tickLabel(value, Math.max(0, -Math.floor(Math.log10(value) + 1e-9))) }))
  return { place: (value) => (Math.log10(value) - from) / (to - from || 1), ticks }
}

/** Thousands are grouped; very small and very large numbers get an exponent. */
function tickLabel(value: number, digits: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size < 1e-4 || size >= 1e7) return value.toExponential().replace('e+', 'e')
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d|\.))(?<!\.\d*)/g, ',')
}
