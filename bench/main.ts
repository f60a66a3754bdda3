import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { dataWaitBench } from './data-wait.bench.js'
import { eventLoopBench } from './event-loop.bench.js'
import { type Bench, integer } from './harness/bench.js'
import { describeMachine } from './harness/machine.js'
import { formatOutcome, saveOutcome } from './harness/results.js'
import { loaderBench } from './loader.bench.js'
import { memoryBench } from './memory.bench.js'
import { profileBench } from './profile.bench.js'
import { startupBench } from './startup.bench.js'
import { stepBench } from './step.bench.js'
import { weightsBench } from './weights.bench.js'

const benches: readonly Bench[] = [
  stepBench,
  loaderBench,
  dataWaitBench,
  eventLoopBench,
  memoryBench,
  profileBench,
  startupBench,
  weightsBench,
]
const root = join(__dirname, '..', '..')

/** `npm run bench -- NAME [options] [--json] [--rounds N] [--no-save]` */
async function main(args: readonly string[]): Promise<number> {
  const bench = benches.find(({ name }) => name === args[0])
  if (bench === undefined) {
    const list = benches.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join('\n')
    process.stderr.write(`usage: npm run bench -- NAME [options] [--json] [--rounds N] [--no-save]\n\n${list}\n`)
    return args.length === 0 ? 0 : 2
  }
  const { values } = parseArgs({
    args: args.slice(1),
    options: {
      ...bench.options,
      json: { type: 'boolean', default: false },
      'no-save': { type: 'boolean', default: false },
      rounds: { type: 'string', default: '7' },
    },
  })
  const options = Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string | boolean] => !Array.isArray(entry[1])),
  )
  const machine = await describeMachine()
  const outcome = await bench.run(options, {
    rounds: integer(options, 'rounds', { min: 5 }),
    say: (line) => process.stderr.write(`${line}\n`),
  })
  if (options.json === true) process.stdout.write(`${JSON.stringify(outcome.figures)}\n`)
  else process.stdout.write(`${formatOutcome(bench, outcome)}\n`)
  if (options['no-save'] !== true) process.stderr.write(`kept in ${await saveOutcome(root, bench, outcome, machine)}\n`)
  return 0
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  },
)
