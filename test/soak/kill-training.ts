import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { killTraining } from '../support/kill-training.js'

/** At least so many of the kills must land inside the writing of a checkpoint. */
const leastInside = 10

/** Kills a training a hundred times by default, writing included: `npm run soak:kill -- [--kills N] [--seed N]`. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { kills: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' } } })
  const [kills, seed] = [Number(values.kills), Number(values.seed)]
  const folder = await mkdtemp(join(tmpdir(), 'cae-kill-'))
  try {
    const began = performance.now()
    const report = await killTraining({ cli: join(process.cwd(), 'lib/cli/main.js'), folder, kills, seed, steps: 400 })
    const seconds = Math.round((performance.now() - began) / 1000)
    process.stdout.write(`${JSON.stringify({ ...report, differences: report.problems.length, seed, seconds })}\n`)
    if (report.problems.length > 0 || (kills >= 100 && report.insideWrite < leastInside)) process.exitCode = 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
})
