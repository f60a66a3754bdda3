/** Which third of a fused projection a tensor is. */
export type Part = 'q' | 'k' | 'v'

/**
 * How the tensors of one kind of file are called, and how here: `[theirs, ours]`, and for separate projections the third of ours that theirs
 * is. `{i}` stands for a block's number, `{wb}` for `weight` or `bias`. Our names are those of an encoder's checkpoint without `encoder.`.
 */
export type Layout = readonly (readonly [theirs: string, ours: string, part?: Part])[]

/** Where a tensor of a file goes. */
export interface Target {
  readonly name: string
  readonly part?: Part
}

const placeholders: Readonly<Record<string, string>> = { '{i}': '(?<i>\\d+)', '{wb}': '(?<wb>weight|bias)' }

/** Finds a name's target; undefined where the layout does not know the name. */
export function translator(layout: Layout): (name: string) => Target | undefined {
  const rows = layout.map(([theirs, ours, part]) => ({ pattern: patternOf(theirs), ours, part }))
  return (name) => {
    for (const { pattern, ours, part } of rows) {
      const found = pattern.exec(name)
      if (found) return { name: fill(ours, found.groups ?? {}), ...(part && { part }) }
    }
    return undefined
  }
}

/** The same table the other way round; only for layouts without parts. */
export function inverted(layout: Layout): Layout {
  return layout.map(([theirs, ours]) => [ours, theirs])
}

/** Every row with `prefix` before their names, and `ourPrefix` before ours. */
export function prefixed(layout: Layout, prefix: string, ourPrefix = ''): Layout {
  return layout.map(([theirs, ours, part]) => (part ? [prefix + theirs, ourPrefix + ours, part] : [prefix + theirs, ourPrefix + ours]))
}

function patternOf(template: string): RegExp {
  const escaped = template.replace(/\{\w+\}|[.*+?^$()|[\]\\]/g, (found) => placeholders[found] ?? `\\${found}`)
  return new RegExp(`^${escaped}$`)
}

function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, key: string) => values[key] ?? '')
}
