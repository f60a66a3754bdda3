/** A line of JSON on standard output; what JSON cannot say (NaN, infinity) becomes text. */
export function printJson(value: unknown): void {
  const plain = (_: string, part: unknown): unknown => (typeof part === 'number' && !Number.isFinite(part) ? String(part) : part)
  process.stdout.write(`${JSON.stringify(value, plain)}\n`)
}

/** Rows of a name and a value, values in one column. */
export function printTable(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  process.stdout.write(`${rows.map(([name, value]) => `${name.padEnd(width)}${value}`).join('\n')}\n`)
}

/** A result's facts as rows; what has parts gets a row a part, empty lists none. */
export function resultRows(result: object): [string, string][] {
  return Object.entries(result).flatMap(([name, value]): [string, string][] => {
    if (Array.isArray(value)) return value.length === 0 ? [] : [[name, value.map(shown).join('; ')]]
    if (typeof value !== 'object' || value === null) return [[name, shown(value)]]
    return Object.entries(value).map(([part, fact]) => [`${name} ${part}`, shown(fact)])
  })
}

function shown(value: unknown): string {
  if (typeof value === 'number') return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)))
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, fact]) => `${name} ${shown(fact)}`)
    .join(', ')
}
