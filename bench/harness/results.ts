import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, isMet, type Outcome } from './bench.js'
import { describeSource, type Machine } from './machine.js'

/**
 * Keeps an outcome as `bench/results/NAME-PARAMETERS.json`: the newest run of the same parameters, git has the older ones.
 * @returns the file's path relative to `root`
 */
export async function saveOutcome(root: string, bench: Bench, outcome: Outcome, machine: Machine): Promise<string> {
  const name = [bench.name, ...Object.values(outcome.parameters)].join('-').replace(/[^\w.-]+/g, '_')
  const path = join('bench', 'results', `${name}.json`)
  const record = {
    bench: bench.name,
    date: new Date().toISOString().slice(0, 10),
    source: await describeSource(root),
    machine,
    ...outcome,
  }
  await mkdir(join(root, 'bench', 'results'), { recursive: true })
  await writeFile(join(root, path), `${JSON.stringify(record, null, 2)}\n`)
  return path
}

/** The outcome for people: a line a figure, its goal beside it. */
export function formatOutcome(bench: Bench, outcome: Outcome): string {
  const parameters = Object.entries(outcome.parameters).map(([name, value]) => `${name} ${value}`)
  const width = Math.max(...Object.keys(outcome.figures).map((name) => name.length))
  const lines = Object.entries(outcome.figures).map(([name, value]) => {
    const goal = outcome.goals.find((candidate) => candidate.figure === name)
    return `  ${name.padEnd(width)}  ${formatFigure(value)}${goal === undefined ? '' : formatGoal(goal, outcome)}`
  })
  return [[bench.name, ...parameters].join(', '), ...lines].join('\n')
}

function formatFigure(value: number | string | null): string {
  if (value === null) return 'not measured'
  return typeof value === 'string' ? value : String(Number(value.toPrecision(5)))
}

function formatGoal(goal: Outcome['goals'][number], outcome: Outcome): string {
  const bound = goal.atMost === undefined ? `at least ${goal.atLeast}` : `at most ${goal.atMost}`
  const met = isMet(goal, outcome)
  return `   (goal: ${bound}${met === null ? '' : met ? ', met' : ', MISSED'})`
}
