/** Labels of a set by place; -1 where there is none. */
export interface LabelTable {
  readonly labels: Int32Array
  /** Where labels were words: the classes, sorted by code units. */
  readonly classes?: readonly string[]
}

/**
 * Numbers for the labels of a table or list: whole numbers stay what they are, words become the number of their class in the order of names.
 * @returns undefined where there is no label at all
 */
export function numberLabels(values: readonly unknown[]): LabelTable | undefined {
  const texts = values.map((value) => (value === null || value === undefined || value === '' ? undefined : String(value)))
  const words = new Set(texts.filter((text) => text !== undefined))
  if (words.size === 0) return undefined
  if ([...words].every(isLabelNumber)) {
    return { labels: Int32Array.from(texts, (text) => (text === undefined ? -1 : Math.max(-1, Number(text)))) }
  }
  const classes = [...words].sort()
  const numbers = new Map(classes.map((name, number) => [name, number]))
  return { classes, labels: Int32Array.from(texts, (text) => (text === undefined ? -1 : (numbers.get(text) ?? -1))) }
}

function isLabelNumber(text: string): boolean {
  return /^-?\d+$/.test(text) && Number(text) <= 0x7fffffff
}
