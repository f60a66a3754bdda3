/**
 * The name that a misspelt or cut one most likely stands for; undefined where none is near. Case, dashes and underscores do not count, so
 * that `batch_size` finds `batchSize`.
 */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const wanted = plain(name)
  const best = names
    .map((candidate) => ({ candidate, distance: editDistance(wanted, plain(candidate)) }))
    .reduce<{ candidate: string; distance: number } | undefined>((a, b) => (a !== undefined && a.distance <= b.distance ? a : b), undefined)
  const limit = Math.max(1, Math.floor(wanted.length / 3))
  if (best !== undefined && best.distance <= limit) return best.candidate
  return wanted.length < 3 ? undefined : names.find((candidate) => plain(candidate).startsWith(wanted))
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, '')
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replaced, swapped))
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
