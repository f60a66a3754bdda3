import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { presetNames } from '#lib/config/presets.js'
import { trainCAE } from '#lib/index.js'
import { type BenchOptions, defineBench, integer, word } from './harness/bench.js'
import { readMemory } from './harness/memory.js'
import { syntheticPhotos, temporaryFolder } from './harness/synthetic.js'

/** How much resident memory grows over many steps of one run, after warm-up. */
export const memoryBench = defineBench({
  name: 'memory',
  summary: 'growth of resident memory over 500 steps after a warm-up of 100',
  options: {
    model: { type: 'string', default: 'cae-nano' },
    warmup: { type: 'string', default: '100' },
    steps: { type: 'string', default: '500' },
  },
  async run(options: BenchOptions, context) {
    const warmup = integer(options, 'warmup', { min: 1 })
    const steps = integer(options, 'steps', { min: 1 })
    const folder = await temporaryFolder()
    const samples: { step: number; rssMiB: number }[] = []
    try {
      const run = trainCAE({
        data: await syntheticPhotos(512, 64, 64),
        out: join(folder, 'run'),
        model: word(options, 'model', presetNames),
        steps: warmup + steps,
        batchSize: 16,
      })
      for await (const event of run) {
        if (event.type !== 'step') continue
        const every = Math.max(1, Math.floor(steps / 20))
        if (event.step >= warmup && (event.step - warmup) % every === 0) {
          samples.push({ step: event.step, rssMiB: (await readMemory()).rssBytes / 2 ** 20 })
        }
      }
      await run
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    for (const { step, rssMiB } of samples) context.say(`step ${step}: ${rssMiB.toFixed(1)} MiB`)
    const [first, last] = [samples.at(0)?.rssMiB ?? Number.NaN, samples.at(-1)?.rssMiB ?? Number.NaN]
    return {
      parameters: { model: String(options.model), steps },
      figures: { grownMiB: last - first, peakMiB: Math.max(...samples.map(({ rssMiB }) => rssMiB)) },
      details: { samples },
      goals: [{ figure: 'grownMiB', atMost: 20 / 1.048576 }],
    }
  },
})
