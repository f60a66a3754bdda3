import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { type Dataset, type TrainRun, trainCAE } from '#lib/index.js'

type Reader = (run: TrainRun<unknown>) => Promise<unknown>

const readers: Readonly<Record<string, Reader>> = {
  none: async () => undefined,
  'reads everything': async (run) => {
    for await (const _ of run);
  },
  'reads one event, then never again': async (run) => run[Symbol.asyncIterator]().next(),
}

const data: Dataset = {
  length: 256,
  get: (index) => ({ data: Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => i * index), width: 64, height: 64, channels: 3 }),
}

/**
 * What readers cost a run: `npm run soak:readers -- [--steps N] [--rounds N]`. CPU time and memory of `cae-nano` with checkpoints and many
 * pictures, in turn; prints medians.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { steps: { type: 'string', default: '200' }, rounds: { type: 'string', default: '5' } } })
  const steps = Number(values.steps)
  const seen = new Map(Object.keys(readers).map((name) => [name, { cpuMs: [] as number[], heapMiB: [] as number[] }]))
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const [name, read] of Object.entries(readers)) {
      const { cpuMs, heapMiB } = await measure(read, steps)
      if (round === 0) continue // libtorch loads, code is compiled
      seen.get(name)?.cpuMs.push(cpuMs / steps)
      seen.get(name)?.heapMiB.push(heapMiB)
    }
  }
  process.stdout.write('| reader | CPU time a step | heap and buffers at the end |\n| --- | --- | --- |\n')
  for (const [name, { cpuMs, heapMiB }] of seen) {
    process.stdout.write(`| ${name} | ${median(cpuMs).toFixed(2)} ms | ${median(heapMiB).toFixed(1)} MiB |\n`)
  }
}

async function measure(read: Reader, steps: number): Promise<{ cpuMs: number; heapMiB: number }> {
  const out = await mkdtemp(join(tmpdir(), 'cae-readers-'))
  const before = process.cpuUsage()
  const run = trainCAE({
    data,
    out: join(out, 'run'),
    model: 'cae-nano',
    batchSize: 8,
    steps,
    precision: 'fp32',
    figureEvery: 5,
    checkpointEvery: 50,
  })
  const reading = read(run)
  const { model } = await run
  await reading
  const { user, system } = process.cpuUsage(before)
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  await model.dispose()
  await rm(out, { recursive: true, force: true })
  return { cpuMs: (user + system) / 1000, heapMiB: (heapUsed + arrayBuffers) / 2 ** 20 }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
})
