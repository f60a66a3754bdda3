import { execFile, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { resolveModel } from '#lib/methods/resolve.js'
import { type BenchOptions, defineBench, integer, word } from './harness/bench.js'
import type { LineProcess } from './harness/line-process.js'
import { temporaryFolder } from './harness/synthetic.js'
import { Ready, startOurs, Timed } from './step.bench.js'

const run = promisify(execFile)

/** What a function's time is spent for: the first row that knows its name. JIT code of oneDNN is told by its map file. */
const kinds: readonly (readonly [kind: string, names: RegExp])[] = [
  ['copies into the products’ layout', /copy_[ab]|reorder|scopy|transpose/i],
  ['products', /gemm|JIT/i],
  ['waiting for the other thread', /libgomp|futex|sched_yield/i],
  ['optimizer and norm of gradients', /updateRange|adamw|ofPiece|ofAll|ofBlock/i],
  ['GELU and bias', /gelu/i],
  ['norms and residuals', /addNorm|addRow|normRow|rowParts/i],
  ['attention without its products', /softmax|attention|heads|expf/i],
  ['memory: pages, copies, zeros', /clear_page|clear_huge|page_fault|memset|memcpy|memmove|malloc|free|direct_copy/i],
]

/** Where the processor's time of a step goes, by samples of perf over all threads of a process that does nothing but steps. */
export const profileBench = defineBench({
  name: 'profile',
  summary: 'where the processor’s time of a step goes, sampled by perf (Linux, needs the right to use it)',
  options: {
    model: { type: 'string', default: 'cae-small' },
    'batch-size': { type: 'string', default: '8' },
    precision: { type: 'string', default: 'fp32' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '10' },
  },
  async run(options: BenchOptions, context) {
    const model = resolveModel(String(options.model))
    const batchSize = integer(options, 'batch-size', { min: 1 })
    const precision = word(options, 'precision', ['fp32', 'bf16'])
    const threads = integer(options, 'threads', { min: 1 })
    const repeats = integer(options, 'steps', { min: 1 })
    const folder = await temporaryFolder()
    const samples = join(folder, 'perf.data')
    try {
      // 2: names of generated code for perf, in /tmp/perf-PID.map
      await using lane: LineProcess = startOurs(model, { batchSize, precision, threads }, { ...process.env, ONEDNN_JIT_PROFILE: '2' })
      await lane.next(Ready)
      await lane.request({ do: 'step', repeats: 3 }, Timed)
      const perf = spawn('perf', ['record', '-q', '-F', '499', '-p', String(lane.pid), '-o', samples], { stdio: 'inherit' })
      const ended = new Promise<void>((resolve, reject) => perf.once('error', reject).once('close', () => resolve()))
      await new Promise((resolve) => setTimeout(resolve, 500))
      const { ms } = await lane.request({ do: 'step', repeats }, Timed)
      perf.kill('SIGINT')
      await ended
      const report = [
        'report',
        '-i',
        samples,
        '--stdio',
        '-q',
        '--no-children',
        '-g',
        'none',
        '--sort',
        'dso,symbol',
        '-t',
        ';',
        '--percent-limit',
        '0.05',
      ]
      const { stdout } = await run('perf', report, { maxBuffer: 2 ** 26 })
      await rm(`/tmp/perf-${lane.pid}.map`, { force: true })
      const functions = parse(stdout)
      const shares = byKind(functions)
      for (const { share, name } of functions.slice(0, 25)) context.say(`${share.toFixed(1).padStart(5)} %  ${name}`)
      return {
        parameters: { model: String(options.model), batch: batchSize, precision, threads },
        figures: { msPerStep: ms, ...Object.fromEntries([...shares].map(([kind, share]) => [`${kind} %`, Number(share.toFixed(1))])) },
        details: { functions: functions.slice(0, 60) },
        goals: [],
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})

interface Sampled {
  readonly share: number
  readonly name: string
}

/** Lines such as `12.34;libtorch_cpu.so;[.] at::native::...`; generated code is in `[JIT] tid 123`. */
function parse(report: string): Sampled[] {
  return report.split('\n').flatMap((line) => {
    const [share = '', dso = '', ...symbol] = line.split(';')
    const [, space, name] = /^\[(.)\]\s+(.*?)\s*$/.exec(symbol.join(';').trim()) ?? []
    if (name === undefined) return []
    return { share: Number.parseFloat(share), name: `${space === 'k' ? 'kernel' : dso.trim()}: ${name.slice(0, 160)}` }
  })
}

function byKind(functions: readonly Sampled[]): Map<string, number> {
  const shares = new Map<string, number>()
  for (const { share, name } of functions) {
    const kind = kinds.find(([, names]) => names.test(name))?.[0] ?? 'other'
    shares.set(kind, (shares.get(kind) ?? 0) + share)
  }
  return new Map([...shares].sort(([, a], [, b]) => b - a))
}
