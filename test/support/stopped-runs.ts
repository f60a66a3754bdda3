import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Dataset } from '../../src/data/dataset.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import type { TrainEvent } from '../../src/train/events.js'
import { timingKeys } from '../../src/train/metrics.js'
import { drawnImages } from './tiny-run.js'

/** `train` of the sources or of the built package; with other options `trainTokenizer`. */
export type Train<Options = TrainOptions> = (
  options: Options,
) => AsyncIterable<TrainEvent> & PromiseLike<{ readonly model: AsyncDisposable }>

const stop = new Error('stopped by the test')

/** Runs to the end, or to an abort after `until` steps; one step more may be on its way then. */
export async function runTo<Options extends object>(
  train: Train<Options & { resume: 'auto'; signal: AbortSignal }>,
  until: number | undefined,
  options: Options,
): Promise<TrainEvent[]> {
  const controller = new AbortController()
  const seen: TrainEvent[] = []
  const run = train({ ...options, resume: 'auto', signal: controller.signal })
  const reading = (async () => {
    for await (const event of run) {
      seen.push(event)
      if (event.type === 'step' && until !== undefined && event.step >= until) controller.abort(stop)
    }
  })()
  const result = await Promise.all([run, reading]).catch((error: unknown) => {
    if (error !== stop) throw error
  })
  await result?.[0].model[Symbol.asyncDispose]()
  return seen
}

/** Everything that must not depend on stops: bytes of weights and moments, metrics without times. */
export interface Results {
  readonly model: string
  readonly optimizer: string
  readonly metrics: readonly Readonly<Record<string, unknown>>[]
}

export async function resultsOf(out: string): Promise<Results> {
  const newest = join(out, 'checkpoints/latest')
  const metrics = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trim().split('\n')
  return {
    model: (await readFile(join(newest, 'model.safetensors'))).toString('base64'),
    optimizer: (await readFile(join(newest, 'optimizer.safetensors'))).toString('base64'),
    metrics: metrics.map((line) => {
      const { ...fields } = JSON.parse(line)
      for (const key of timingKeys) delete fields[key]
      return fields
    }),
  }
}

/** What of two results is not the same, by name. */
export function differences(want: Results, got: Results): string[] {
  const names = ['model', 'optimizer', 'metrics'] as const
  return names.filter((name) => JSON.stringify(want[name]) !== JSON.stringify(got[name]))
}

/** Takes a run back to its checkpoint of `step`, as a kill soon after that step would have left it. */
async function takeBack(out: string, step: number): Promise<void> {
  const folder = join(out, 'checkpoints')
  for (const name of await readdir(folder)) if (Number(name.slice('step-'.length)) > step) await rm(join(folder, name), { recursive: true })
}

/** A data set that remembers which of its images were read, in order. */
function countedImages(length: number): { readonly data: Dataset; readonly reads: number[] } {
  const images = drawnImages(length)
  const reads: number[] = []
  const get = (index: number) => {
    reads.push(index)
    return images.get(index)
  }
  return { data: { ...images, get }, reads }
}

/** What came of a run that was stopped at an epoch's end and in the middle of one. */
export interface StoppedReport {
  /** Steps that its later parts began at. */
  readonly starts: readonly number[]
  /** What is not as in the unbroken run: `model`, `optimizer`, `metrics`, or `reads` where a skipped image was read. */
  readonly differences: readonly string[]
}

/**
 * Trains once without a stop, and once with two: at the first epoch's end, and in the middle of a later one.
 * @param options of a run of 14 steps or so over 22 images in batches of 4, `out` and `data` apart; `cache: 'off'` makes reads comparable
 * @param later what the later parts do otherwise
 */
export async function compareStopped(
  train: Train,
  folder: string,
  options: Omit<TrainOptions, 'out' | 'data'>,
  later: Partial<TrainOptions> = {},
): Promise<StoppedReport> {
  const whole = countedImages(22)
  const unbroken = { ...options, data: whole.data, out: join(folder, 'unbroken') }
  await runTo(train, undefined, unbroken)
  const broken = { ...options, out: join(folder, 'broken'), checkpointEvery: 5 }
  await runTo(train, 5, { ...broken, data: countedImages(22).data })
  await takeBack(broken.out, 5)
  const starts: number[] = []
  const different: string[] = []
  for (const until of [7, undefined]) {
    const part = countedImages(22)
    const events = await runTo(train, until, { ...broken, ...later, data: part.data })
    const [start] = events.flatMap((event) => (event.type === 'start' ? [event.startStep] : []))
    const steps = events.flatMap((event) => (event.type === 'step' ? [event.step] : []))
    const [from = 0, to = 0] = [start, steps.at(-1)]
    starts.push(from)
    const isSame = whole.reads.slice(4 * from, 4 * to).every((index, at) => part.reads[at] === index)
    if (options.cache === 'off' && !isSame) different.push('reads')
  }
  return { starts, differences: [...different, ...differences(await resultsOf(unbroken.out), await resultsOf(broken.out))] }
}
