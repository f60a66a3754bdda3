/** A step's numbers by name. */
export type Metrics = Readonly<Record<string, number>>

/** Running means of named numbers that a checkpoint can hold. Steps that were skipped have no part in them. */
export class Means {
  private sums: Record<string, number>
  private count: number

  /** @param state what `state` gave, to go on from */
  constructor(state: MeansState = { count: 0, sums: {} }) {
    this.sums = { ...state.sums }
    this.count = state.count
  }

  add(metrics: Metrics): void {
    for (const [name, value] of Object.entries(metrics)) this.sums[name] = (this.sums[name] ?? 0) + value
    this.count++
  }

  /** The means of all that was added, or nothing at all before that. */
  get(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.sums).map(([name, sum]) => [name, sum / this.count]))
  }

  clear(): void {
    this.sums = {}
    this.count = 0
  }

  get state(): MeansState {
    return { count: this.count, sums: { ...this.sums } }
  }
}

export interface MeansState {
  readonly count: number
  readonly sums: Metrics
}

/** Means over the last `size` additions. */
export class RecentMeans {
  private readonly rows: Metrics[]

  constructor(
    private readonly size: number,
    rows: readonly Metrics[] = [],
  ) {
    this.rows = rows.slice(-size)
  }

  add(metrics: Metrics): void {
    this.rows.push(metrics)
    if (this.rows.length > this.size) this.rows.shift()
  }

  get(): Record<string, number> {
    const means = new Means()
    for (const row of this.rows) means.add(row)
    return means.get()
  }

  get state(): readonly Metrics[] {
    return [...this.rows]
  }
}
