import { parseArgs } from 'node:util'

import { fuzzFiles } from '../support/fuzz-files.js'

/** Opens damaged files of every format, a hundred thousand by default: `npm run soak:files -- [--runs N] [--seed N]`. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } } })
  const report = await fuzzFiles({ runs: Number(values.runs), seed: Number(values.seed) })
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
