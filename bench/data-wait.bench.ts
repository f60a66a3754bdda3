import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { presetNames } from '#lib/config/presets.js'
import { trainCAE } from '#lib/index.js'
import { type BenchOptions, defineBench, integer, word } from './harness/bench.js'
import { temporaryFolder } from './harness/synthetic.js'

const Line = z.object({ step: z.number(), seconds: z.number(), data_wait_share: z.number() })

/**
 * How long the steps of a training wait for their data, as a share of the time: with the cache of decoded images off, so that every image is
 * read and decoded in every epoch.
 */
export const dataWaitBench = defineBench({
  name: 'data-wait',
  summary: 'share of a training that its steps wait for data, images read and decoded in every epoch',
  options: {
    data: { type: 'string' },
    model: { type: 'string', default: 'cae-tiny' },
    'batch-size': { type: 'string', default: '16' },
    steps: { type: 'string', default: '60' },
    precision: { type: 'string', default: 'bf16' },
  },
  async run(options: BenchOptions, context) {
    if (typeof options.data !== 'string') throw new RangeError('--data names a folder of images')
    const folder = await temporaryFolder()
    const out = join(folder, 'run')
    const [steps, batchSize] = [integer(options, 'steps', { min: 1 }), integer(options, 'batch-size', { min: 1 })]
    const [model, precision] = [word(options, 'model', presetNames), word(options, 'precision', ['fp32', 'bf16'])]
    try {
      const setting = {
        data: options.data,
        out,
        model,
        steps,
        batchSize,
        precision,
        cache: 'off',
        figureEvery: 0,
        checkpointEvery: 0,
      } as const
      const { model: trained, summary } = await trainCAE(setting)
      await trained.dispose()
      const lines = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trim().split('\n')
      const shares = lines.map((line) => Line.parse(JSON.parse(line)).data_wait_share)
      for (const at of [0, 0.25, 0.5, 0.75, 1]) {
        const place = Math.min(shares.length - 1, Math.floor(at * shares.length))
        context.say(`step ${place + 1}: waited ${((shares[place] ?? 0) * 100).toFixed(2)} % of the last seconds`)
      }
      return {
        parameters: { model, batchSize, precision, steps },
        figures: {
          waitPercent: summary.dataWaitShare * 100,
          waitMsPerStep: (summary.dataWaitShare * summary.seconds * 1000) / steps,
          stepMs: (summary.seconds * 1000) / steps,
          imagesPerSecond: summary.imagesPerSecond,
        },
        details: { epochs: summary.epochs, badImages: summary.badImages },
        goals: [{ figure: 'waitPercent', atMost: 2 }],
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})
