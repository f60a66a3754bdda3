/** Numbers with a shape, from either side of a comparison. */
export interface Numbers {
  readonly data: ArrayLike<number>
  readonly shape: readonly number[]
}

/** How far two tensors are apart. */
export interface Closeness {
  /** Largest absolute difference; NaN when either side has one where the other has none. */
  readonly worst: number
  /** Why the two cannot be compared at all, or where they are farthest apart. */
  readonly detail: string
  readonly ok: boolean
}

/** Compares with an absolute tolerance; a NaN or a wrong shape is never close. */
export function closeness(got: Numbers, want: Numbers, tolerance: number): Closeness {
  if (got.shape.join() !== want.shape.join() || got.data.length !== want.data.length) {
    return { worst: Number.POSITIVE_INFINITY, detail: `shape [${got.shape}], wanted [${want.shape}]`, ok: false }
  }
  let [worst, at, outside] = [0, 0, 0]
  for (let i = 0; i < want.data.length; i++) {
    const difference = Math.abs((got.data[i] ?? Number.NaN) - (want.data[i] ?? Number.NaN))
    if (!(difference <= tolerance)) outside++
    if (difference > worst || (Number.isNaN(difference) && !Number.isNaN(worst))) [worst, at] = [difference, i]
  }
  const [a, b] = [got.data[at], want.data[at]]
  const relative = worst / Math.abs(b ?? 1)
  const place = unravel(at, want.shape)
  const share = ((100 * outside) / Math.max(1, want.data.length)).toPrecision(3)
  const detail = `[${want.shape}] at [${place}]: ${a}, wanted ${b}; relative ${relative.toExponential(1)}, ${share} % outside`
  return { worst, detail, ok: worst <= tolerance }
}

/** Fails with name, shape, place and size of the worst difference. */
export function expectClose(name: string, got: Numbers | undefined, want: Numbers, tolerance: number): void {
  if (got === undefined) throw new Error(`${name}: there is no such tensor`)
  const { ok, worst, detail } = closeness(got, want, tolerance)
  if (!ok) throw new Error(`${name} differs by ${worst.toExponential(2)}, tolerance ${tolerance}: ${detail}`)
}

function unravel(index: number, shape: readonly number[]): number[] {
  const place: number[] = []
  let rest = index
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return place
}
