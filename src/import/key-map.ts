import { type Target, translator } from './layout.js'
import type { Origin } from './origin.js'
import type { Unwrapped } from './unwrap.js'

/** One of our tensors and what it is made of: one tensor of the file, or separate projections in the order q, k, v. */
export interface Assembly {
  /** Names in the file. */
  readonly from: readonly string[]
}

/** Where the tensors of a file go. */
export interface KeyMap {
  /** By our names, those of an encoder's checkpoint without `encoder.`. */
  readonly assemblies: ReadonlyMap<string, Assembly>
  /** Tensors of the file that belong to parts which an encoder does not have. */
  readonly unused: readonly string[]
  /** Tensors of the file that nothing is known about. */
  readonly unexpected: readonly string[]
  /** Our tensors of which the file has some projections and lacks others. */
  readonly torn: readonly string[]
}

/** Sorts the tensors of a state dict by the table of its origin. */
export function mapKeys({ names, outside }: Unwrapped, origin: Origin): KeyMap {
  const translate = translator(origin.layout)
  const parts = new Map<string, Map<Target['part'], string>>()
  const unused = [...outside]
  const unexpected: string[] = []
  for (const [name, original] of names) {
    const target = innerNames(name, origin)
      .map(translate)
      .find((found) => found !== undefined)
    if (target === undefined) {
      const rest = origin.unused.test(name) ? unused : unexpected
      rest.push(original)
      continue
    }
    const made = parts.get(target.name) ?? new Map()
    parts.set(target.name, made.set(target.part, original))
  }
  const isWhole = (made: ReadonlyMap<Target['part'], string>) => made.has(undefined) || made.size === 3
  const fused = ['q', 'k', 'v'] as const
  const from = (made: ReadonlyMap<Target['part'], string>) =>
    [undefined, ...fused].map((part) => made.get(part)).filter((name) => name !== undefined)
  return {
    assemblies: new Map([...parts].filter(([, made]) => isWhole(made)).map(([name, made]) => [name, { from: from(made) }])),
    unused,
    unexpected,
    torn: [...parts].filter(([, made]) => !isWhole(made)).map(([name]) => name),
  }
}

/** A name without the prefixes that the origin's encoder may have. */
function innerNames(name: string, { prefixes = [''] }: Origin): string[] {
  return prefixes.filter((prefix) => name.startsWith(prefix)).map((prefix) => name.slice(prefix.length))
}
