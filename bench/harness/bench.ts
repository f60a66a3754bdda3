import type { ParseArgsConfig } from 'node:util'

/** A figure with the goal it is held against; `atMost` and `atLeast` read as written. */
export interface Goal {
  readonly figure: string
  readonly atMost?: number
  readonly atLeast?: number
}

/** What a bench hands back; printed, and kept as JSON. */
export interface Outcome {
  /** What was run; part of the result's file name. */
  readonly parameters: Readonly<Record<string, string | number>>
  /** Flat figures under names with their unit: what `--json` prints. */
  readonly figures: Readonly<Record<string, number | string | null>>
  /** Rounds, samples, versions: what the figures were made from. */
  readonly details: Readonly<Record<string, unknown>>
  readonly goals: readonly Goal[]
}

type OptionTable = NonNullable<ParseArgsConfig['options']>

/** Values of a bench's own options, as `parseArgs` reads them. */
export type BenchOptions = Readonly<Record<string, string | boolean | undefined>>

/** One bench: a file `bench/NAME.bench.ts` exports one, `bench/main.ts` lists it. */
export interface Bench {
  readonly name: string
  /** One sentence for the list of benches. */
  readonly summary: string
  /** Its options, besides `--json`, `--rounds` and `--no-save`, which all have. */
  readonly options: OptionTable
  run(options: BenchOptions, context: BenchContext): Promise<Outcome>
}

/** What `main` gives every bench. */
export interface BenchContext {
  readonly rounds: number
  /** A line for people, on stderr. */
  say(line: string): void
}

/** Declares a bench; goals are printed beside the figures, and a miss never fails a build. */
export function defineBench(bench: Bench): Bench {
  return bench
}

/** A whole number from an option. */
export function integer(options: BenchOptions, name: string, { min }: { min: number }): number {
  const value = Number(options[name])
  if (!Number.isInteger(value) || value < min) {
    throw new RangeError(`--${name} is a whole number of at least ${min}, not ${JSON.stringify(options[name])}`)
  }
  return value
}

/** One of a few words from an option. */
export function word<const T extends string>(options: BenchOptions, name: string, words: readonly T[]): T {
  const found = words.find((candidate) => candidate === options[name])
  if (found === undefined) {
    throw new RangeError(`--${name} is one of ${words.join(', ')}, not ${JSON.stringify(options[name])}`)
  }
  return found
}

/** Whether the figure meets its goal; null where it was not measured. */
export function isMet(goal: Goal, outcome: Outcome): boolean | null {
  const value = outcome.figures[goal.figure]
  if (typeof value !== 'number') return null
  return value <= (goal.atMost ?? Number.POSITIVE_INFINITY) && value >= (goal.atLeast ?? Number.NEGATIVE_INFINITY)
}
