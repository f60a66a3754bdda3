import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { presetNames } from '#lib/config/presets.js'
import { type Dataset, trainCAE } from '#lib/index.js'
import { type BenchOptions, defineBench, integer, word } from './harness/bench.js'
import { syntheticPhotos, temporaryFolder } from './harness/synthetic.js'

const intervalMs = 10

/**
 * How late a 10 ms timer of the service fires while a run trains, reads photos, writes checkpoints and pictures. What it costs to load libtorch,
 * once a process and before the run starts, is a figure of its own.
 */
export const eventLoopBench = defineBench({
  name: 'event-loop',
  summary: 'lateness of a 10 ms timer during a run with photos, checkpoints and figures',
  options: { model: { type: 'string', default: 'cae-tiny' }, steps: { type: 'string', default: '40' } },
  async run(options: BenchOptions, context) {
    const steps = integer(options, 'steps', { min: 1 })
    const folder = await temporaryFolder()
    const data: Dataset = await syntheticPhotos(64, 500, 375)
    const late: number[] = []
    let loadLateMs = 0
    let next = performance.now() + intervalMs
    const timer = setInterval(() => {
      const now = performance.now()
      late.push(Math.max(0, now - next))
      next = now + intervalMs
    }, intervalMs)
    try {
      const run = trainCAE({
        data,
        out: join(folder, 'run'),
        model: word(options, 'model', presetNames),
        steps,
        batchSize: 16,
        checkpointEvery: Math.ceil(steps / 4),
        figureEvery: Math.ceil(steps / 4),
      })
      for await (const event of run) {
        if (event.type !== 'start') continue
        loadLateMs = Math.max(...late)
        late.length = 0
      }
      await run
      // A timer that never got a turn at the end counts as well.
      late.push(Math.max(0, performance.now() - next))
    } finally {
      clearInterval(timer)
      await rm(folder, { recursive: true, force: true })
    }
    late.sort((a, b) => a - b)
    context.say(`${late.length} ticks`)
    return {
      parameters: { model: String(options.model), steps },
      figures: {
        worstLateMs: late.at(-1) ?? Number.NaN,
        p99LateMs: late[Math.floor(late.length * 0.99)] ?? Number.NaN,
        medianLateMs: late[Math.floor(late.length / 2)] ?? Number.NaN,
        loadLateMs,
      },
      details: { ticks: late.length },
      goals: [{ figure: 'worstLateMs', atMost: 50 }],
    }
  },
})
