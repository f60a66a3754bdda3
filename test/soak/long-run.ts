import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { type TrainOptions, trainCAE } from '#lib/index.js'

import { flatness, type Holdings, holdings } from './holdings.js'
import { IdleNeighbour, type Lateness, LatenessTimer } from './lateness.js'

/** A timer may be as late as in an idle process beside it, and this much more. */
const allowedLateMs = { p99: 20, max: 100 }

const emoji = join(__dirname, '../../../node_modules/@lobehub/fluent-emoji-3d/assets')
const stopped = new Error('stopped by the soak')
/** Whoever has seen enough presses Ctrl-C: the report is then about what there was. */
const interrupt = new AbortController()

interface Soak {
  readonly samples: Holdings[]
  /** What is held between two parts of the run, when everything of the first is disposed. */
  readonly atRest: Holdings[]
  readonly events: Map<string, number>
}

/** Of a timer beside the training, and of one in an idle process. */
interface Late {
  readonly training: Lateness
  readonly idle: Lateness
}

/** A part of the run: from where `options.out` stands up to `until` steps, then an abort; to the end when that is the last step. */
interface Part {
  readonly until: number
  readonly sampleEvery: number
  /** Called when training begins. */
  readonly begun: () => Promise<unknown>
}

/** @returns the step it got to */
async function trainPart(options: TrainOptions, { until, sampleEvery, begun }: Part, soak: Soak): Promise<number> {
  let step = 0
  const controller = new AbortController()
  const signal = AbortSignal.any([controller.signal, interrupt.signal])
  const run = trainCAE({ ...options, resume: 'auto', signal })
  const reading = (async () => {
    for await (const event of run) {
      soak.events.set(event.type, (soak.events.get(event.type) ?? 0) + 1)
      if (event.type === 'start') await begun()
      if (event.type !== 'step') continue
      step = event.step
      if (event.step % sampleEvery === 0) soak.samples.push(await holdings())
      if (event.step >= until && event.step < event.steps) controller.abort(stopped)
    }
  })()
  const [outcome] = await Promise.allSettled([run, reading])
  if (outcome.status === 'fulfilled') await outcome.value.model.dispose()
  else if (outcome.reason !== stopped) throw outcome.reason
  return step
}

/**
 * A long training with all that a service has beside it, stopped and resumed many times: `npm run soak -- [--steps N] [--stops N] [--untimed]`.
 * Fails unless what the process holds stays flat and, but for `--untimed`, timers are on time.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '20000' },
      stops: { type: 'string', default: '19' },
      'batch-size': { type: 'string', default: '8' },
      data: { type: 'string', default: emoji },
      /** Lateness is told and not judged: for machines that others work on. */
      untimed: { type: 'boolean', default: false },
    },
  })
  const [steps, stops, batchSize] = [values.steps, values.stops, values['batch-size']].map(Number) as [number, number, number]
  const folder = await mkdtemp(join(tmpdir(), 'cae-soak-'))
  const options: TrainOptions = {
    data: values.data,
    alpha: '#ffffff',
    out: join(folder, 'run'),
    model: 'cae-nano',
    steps,
    batchSize,
    precision: 'fp32',
    cache: 2 ** 26, // full soon, and most images are decoded again and again
    checkpointEvery: Math.ceil(steps / 80),
    figureEvery: Math.ceil(steps / 40),
  }
  const soak: Soak = { samples: [], atRest: [], events: new Map() }
  process.once('SIGINT', () => interrupt.abort(stopped))
  let done = 0
  const started = performance.now()
  const timer = new LatenessTimer()
  using neighbour = new IdleNeighbour()
  const clocks = async (): Promise<Late> => ({ training: timer.take(), idle: await neighbour.take() })
  try {
    for (let part = 1; part <= stops + 1 && !interrupt.signal.aborted; part++) {
      // Never twice at the same place of an interval: in the middle of an epoch, of a figure's, of a checkpoint's.
      const until = part > stops ? steps : Math.round((steps * (part + 0.4 * Math.sin(part))) / (stops + 1))
      // Clocks count from the first start on: what a process loads once, libtorch and modules, is no part of a run; what a resume does is.
      const begun = async () => part === 1 && clocks()
      done = await trainPart(options, { until, sampleEvery: Math.max(1, Math.round(steps / 1000)), begun }, soak)
      soak.atRest.push(await holdings())
      say(part, done, soak.atRest.at(-1) as Holdings, performance.now() - started)
    }
    const late = await clocks()
    const complaints = [...report(soak, late), ...(values.untimed ? [] : lateness(late))]
    const seconds = (performance.now() - started) / 1000
    print(
      `\n${done} steps of batch ${batchSize}, ${stops} stops, ${seconds.toFixed(0)} s, ${availableParallelism()} cores, Node ${process.version}`,
    )
    print(complaints.length > 0 ? complaints.join('\n') : values.untimed ? 'flat' : 'flat and on time')
    if (complaints.length > 0) process.exitCode = 1
  } finally {
    timer.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Prints the tables; yields what is not as it should be. */
function* report({ samples, atRest, events }: Soak, late: Late): Generator<string> {
  print(`\n${samples.length} samples; events: ${[...events].map(([type, count]) => `${count} ${type}`).join(', ')}\n`)
  print('| held | at first | 2nd quarter | last quarter | most | growth allowed | |\n| --- | --- | --- | --- | --- | --- | --- |')
  for (const { name, first, secondQuarter, lastQuarter, max, allowed, isFlat } of flatness(samples)) {
    const numbers = [first, secondQuarter, lastQuarter, max, allowed].map((value) => value.toFixed(name.endsWith('MiB') ? 1 : 0))
    print(`| ${name} | ${numbers.join(' | ')} | ${isFlat ? 'flat' : 'GROWS'} |`)
    if (!isFlat) yield `${name} grows from ${secondQuarter} to ${lastQuarter}`
  }
  const rest = atRest.slice(0, -1) // after the last part there is a finished run, which rests like the others but for its pictures
  for (const name of ['handles', 'cpuTensors'] as const) {
    const seen = [...new Set(rest.map((held) => held[name]))]
    print(`${name} between the parts: ${seen.join(', ')}`)
    if (seen.length > 1 || (name === 'handles' && seen[0] !== 0))
      yield `${name} between the parts are ${seen.join(', ')}: something is left behind`
  }
  print('\n| 10 ms timer | ticks | p99 | most | later than 50 ms |\n| --- | --- | --- | --- | --- |')
  for (const [name, { ticks, p99Ms, maxMs, over50 }] of Object.entries(late)) {
    print(`| ${name} | ${ticks} | ${p99Ms.toFixed(1)} ms | ${maxMs.toFixed(1)} ms | ${over50} |`)
  }
}

function* lateness({ training, idle }: Late): Generator<string> {
  if (training.p99Ms > idle.p99Ms + allowedLateMs.p99)
    yield `timers are late: p99 ${training.p99Ms} ms, in an idle process ${idle.p99Ms} ms`
  if (training.maxMs > idle.maxMs + allowedLateMs.max)
    yield `a timer was ${training.maxMs} ms late, in an idle process at most ${idle.maxMs} ms`
}

function say(part: number, step: number, { residentMiB, fileDescriptors, threads, cpuTensors }: Holdings, ms: number): void {
  const held = `${residentMiB.toFixed(0)} MiB, ${fileDescriptors} descriptors, ${threads} threads, ${cpuTensors} tensors`
  print(`part ${part}: stopped at step ${step} after ${(ms / 1000).toFixed(0)} s; at rest ${held}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
})
