import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Tokenizer, type TrainOptions, train } from '#lib/index.js'
import { compareStopped } from '../support/stopped-runs.js'
import { tinyModel } from '../support/tiny-model.js'
import { tinyRun } from '../support/tiny-run.js'
import { tinyTokenizer } from '../support/tiny-tokenizer.js'

/** How the loader works before the stops and after them. */
const loaders: { readonly name: string; readonly before: Partial<TrainOptions>; readonly after: Partial<TrainOptions> }[] = [
  { name: 'no cache', before: { cache: 'off' }, after: { cache: 'off' } },
  { name: 'hardly any prefetch', before: { cache: 'off', prefetchBytes: 1 }, after: { cache: 'off', prefetchBytes: 1 } },
  { name: 'less prefetch after the stops', before: { cache: 'off' }, after: { cache: 'off', prefetchBytes: 1 } },
  { name: 'cache before the stops alone', before: { cache: 'auto' }, after: { cache: 'off' } },
]

/** Every combination of one value of each list. */
function product<const T extends Readonly<Record<string, readonly unknown[]>>>(lists: T): { [K in keyof T]: T[K][number] }[] {
  const rows = Object.entries(lists).reduce<Record<string, unknown>[]>(
    (made, [name, values]) => made.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))),
    [{}],
  )
  return rows as { [K in keyof T]: T[K][number] }[]
}

const rows = product({
  precision: ['fp32', 'bf16'],
  target: ['pixels', 'tokens'],
  weights: ['shared', 'lagged', 'ema'],
  mask: ['block', 'random'],
  micro: [4, 2],
  dropPath: [0, 0.2],
})

/**
 * Trains every combination once without a stop and once with two, at an epoch's end and in mid-epoch, and compares file bytes; loader and
 * threads change from row to row. Crops are random in all of them. `npm run soak:resume`.
 */
async function main(): Promise<void> {
  const began = performance.now()
  const failed: object[] = []
  let starts = { atEpochEnd: 0, inMidEpoch: 0 }
  for (const [at, row] of rows.entries()) {
    const folder = await mkdtemp(join(tmpdir(), 'cae-resume-'))
    try {
      const threads = 1 + (Math.floor(at / loaders.length) % 2)
      const loader = loaders[at % loaders.length] as (typeof loaders)[number]
      const report = await compareStopped(train, folder, await optionsOf(row, loader.before, threads, folder), loader.after)
      for (const step of report.starts) {
        starts = step % 5 === 0 ? { ...starts, atEpochEnd: starts.atEpochEnd + 1 } : { ...starts, inMidEpoch: starts.inMidEpoch + 1 }
      }
      if (report.differences.length > 0) failed.push({ ...row, threads, loader: loader.name, ...report })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${at + 1}/${rows.length}`)
  }
  const seconds = Math.round((performance.now() - began) / 1000)
  process.stdout.write(`${JSON.stringify({ rows: rows.length, ...starts, differences: failed.length, seconds, failed })}\n`)
  if (failed.length > 0) process.exitCode = 1
}

async function optionsOf(row: (typeof rows)[number], loader: Partial<TrainOptions>, threads: number, folder: string) {
  const { precision, target, weights, mask, micro, dropPath } = row
  const lagged = weights === 'shared' ? {} : ({ targetWeights: 'lagged', targetMomentum: weights === 'ema' ? 0.9 : 0 } as const)
  const { data: _data, out: _out, ...own } = tinyRun('')
  return {
    ...own,
    ...{ precision, threads, microBatchSize: micro, steps: 12, lr: 1e-2, figureEvery: 0 },
    model: { ...tinyModel, ...lagged, maskShape: mask, dropPath },
    ...(target === 'tokens' && { target: { tokenizer: await savedTokenizer(join(folder, 'tokenizer.safetensors')) } }),
    ...loader,
  }
}

async function savedTokenizer(path: string): Promise<string> {
  await using tokenizer = await Tokenizer.create(tinyTokenizer, { seed: 3, device: 'cpu' })
  await tokenizer.save(path)
  return path
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
})
