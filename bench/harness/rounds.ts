/** One contestant: `run` does its work `repeats` times and resolves with the milliseconds of one. */
export interface Lane {
  readonly name: string
  run(repeats: number): Promise<number>
}

/** Figures of one lane over all rounds, in milliseconds. */
export interface Timing {
  readonly medianMs: number
  readonly minMs: number
  readonly maxMs: number
  readonly roundsMs: readonly number[]
}

/** How a race is run. */
export interface RaceOptions {
  /** At least 5; the median counts. */
  readonly rounds: number
  /** Untimed calls of every lane before the first round. */
  readonly warmup: number
  /** A lane repeats its work within a round until about this much time has passed, by the slowest lane's warm-up. */
  readonly minRoundMs: number
  readonly onRound?: (round: number, ms: ReadonlyMap<string, number>) => void
}

/**
 * Runs the lanes in turn, round after round; each round starts with the next lane, so that none always follows the same one.
 * @returns a timing for every lane, under its name
 */
export async function race(lanes: readonly Lane[], options: RaceOptions): Promise<ReadonlyMap<string, Timing>> {
  let slowestMs = 0
  for (let i = 0; i < options.warmup; i++) {
    slowestMs = 0
    for (const lane of lanes) slowestMs = Math.max(slowestMs, await lane.run(1))
  }
  const repeats = slowestMs === 0 ? 1 : Math.max(1, Math.ceil(options.minRoundMs / slowestMs))
  const rounds = new Map<string, number[]>(lanes.map((lane) => [lane.name, []]))
  for (let round = 0; round < options.rounds; round++) {
    const times = new Map<string, number>()
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(round + i) % lanes.length]
      if (lane === undefined) continue
      const ms = await lane.run(repeats)
      times.set(lane.name, ms)
      rounds.get(lane.name)?.push(ms)
    }
    options.onRound?.(round, times)
  }
  return new Map([...rounds].map(([name, ms]) => [name, timing(ms)]))
}

/** Median and extremes of some measured milliseconds. */
export function timing(ms: readonly number[]): Timing {
  return { medianMs: median(ms), minMs: Math.min(...ms), maxMs: Math.max(...ms), roundsMs: ms }
}

/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}
