import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { defineBench } from './harness/bench.js'
import { findPython } from './harness/python.js'
import { type Lane, race } from './harness/rounds.js'
import { temporaryFolder } from './harness/synthetic.js'

const run = promisify(execFile)
const entry = join(__dirname, '..', '..', 'lib')

/** A program in a process of its own that prints the milliseconds it measured: a process's start is not the package's matter. */
function lane(name: string, command: string, args: readonly string[]): Lane {
  return {
    name,
    async run(repeats) {
      let ms = 0
      for (let i = 0; i < repeats; i++) ms += Number((await run(command, [...args])).stdout)
      return ms / repeats
    },
  }
}

const took = 'console.log(performance.now() - from)'
const moduleImport = `const from = performance.now(); import(${JSON.stringify(join(entry, 'index.mjs'))}).then(() => ${took})`
const commonJs = `const from = performance.now(); require(${JSON.stringify(join(entry, 'index.js'))}); ${took}`
const torchImport = 'import time; start = time.perf_counter(); import torch; print((time.perf_counter() - start) * 1000)'

/** From the call, in a process that has loaded nothing yet, to the first step's end: libtorch, model, data and the step itself. */
const firstStep = (out: string) => `
  const { trainCAE } = require(${JSON.stringify(join(entry, 'index.js'))})
  const image = (i) => ({ data: new Uint8Array(224 * 224 * 3).map((_, at) => at * (i + 7)), width: 224, height: 224, channels: 3 })
  const images = Array.from({ length: 8 }, (_, i) => image(i))
  const from = performance.now()
  const run = trainCAE({ data: { length: images.length, get: async (i) => images[i] }, out: ${JSON.stringify(out)}, model: 'cae-tiny', steps: 1, batchSize: 8 })
  ;(async () => { for await (const event of run) if (event.type === 'step') ${took}; await run })()`

/** What a program waits for before it can do anything. */
export const startupBench = defineBench({
  name: 'startup',
  summary: 'time to import the package, beside `import torch`, and from trainCAE() to the end of the first step',
  options: {},
  async run(_options, context) {
    const python = await findPython()
    const folder = await temporaryFolder()
    let runs = 0
    const node = (name: string, program: string) => lane(name, process.execPath, ['-e', program])
    const lanes: Lane[] = [
      node('import', moduleImport),
      node('require', commonJs),
      ...(python ? [lane('import torch', python.command, ['-c', torchImport])] : []),
      { name: 'first step', run: (repeats) => node('first step', firstStep(join(folder, String(runs++)))).run(repeats) },
    ]
    try {
      const options = { rounds: context.rounds, warmup: 1, minRoundMs: 0 }
      const timings = await race(lanes, { ...options, onRound: (round) => context.say(`round ${round + 1} of ${context.rounds}`) })
      const ms = (name: string) => timings.get(name)?.medianMs ?? null
      const [own, peer] = [ms('import'), ms('import torch')]
      return {
        parameters: { model: 'cae-tiny' },
        figures: {
          importMs: own,
          requireMs: ms('require'),
          torchImportMs: peer,
          ratio: own !== null && peer !== null ? peer / own : null,
          firstStepMs: ms('first step'),
        },
        details: { timings: Object.fromEntries(timings), torch: python?.version ?? null },
        goals: [
          { figure: 'importMs', atMost: 60 },
          { figure: 'firstStepMs', atMost: 3000 },
        ],
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})
