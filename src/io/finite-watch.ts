/** How many of the values are infinite or no numbers. */
export function countNonFinite(values: Float32Array): number {
  // 0 times a value is 0 but for those that are looked for: one sum over all is several times as fast as a test of each.
  let sum = 0
  for (let at = 0; at < values.length; at++) sum += 0 * (values[at] ?? 0)
  return sum === 0 ? 0 : values.reduce((count, value) => (Number.isFinite(value) ? count : count + 1), 0)
}

/** Looks at weights as they go by, and says afterwards which of them are not finite: they are taken as they are, and nobody is surprised. */
export class FiniteWatch {
  readonly #counts = new Map<string, number>()

  note(name: string, values: Float32Array): void {
    const count = countNonFinite(values)
    if (count > 0) this.#counts.set(name, count)
  }

  /** One sentence, or none. */
  get warnings(): readonly string[] {
    const [first, ...others] = [...this.#counts].map(([name, count]) => `${count} of ${name}`)
    if (first === undefined) return []
    const shown = [first, ...others.slice(0, 4)].join(', ') + (others.length > 4 ? ` and those of ${others.length - 4} more tensors` : '')
    return [`values that are not finite (NaN or infinite): ${shown}; what is computed with them will not be finite either`]
  }
}
