import { terminalProgress } from '../report/progress.js'
import type { TrainEvent } from '../train/events.js'
import type { TrainRun } from '../train/run.js'
import { interruptible, withJobSignals } from './exit.js'
import { printJson } from './print.js'

/**
 * Starts a run and shows it until its end: a bar or lines on a terminal, or every event as a line of JSON. A signal ends it with a checkpoint;
 * under Slurm SIGUSR1 and SIGUSR2 make one and the run goes on.
 */
export async function followRun<Result>(
  start: (signal: AbortSignal) => TrainRun<Result>,
  { json }: { readonly json?: boolean },
): Promise<Result> {
  const said = { ending: 'finishing the step and writing a checkpoint', after: 'the same command with --resume auto goes on' }
  return await interruptible(said, async (signal) => {
    const run = start(signal)
    const progress = json ? { onEvent: printEvent, close: () => undefined } : terminalProgress()
    const checkpoint = (by: NodeJS.Signals): void => {
      process.stderr.write(`\n${by}: writing a checkpoint after this step; the run goes on\n`)
      run.checkpoint()
    }
    return await withJobSignals(checkpoint, async () => {
      try {
        for await (const event of run) progress.onEvent(event)
      } finally {
        progress.close()
      }
      return await run
    })
  })
}

function printEvent(event: TrainEvent): void {
  const { png: _png, ...rest } = { png: undefined, ...event } // a picture has a path
  printJson(rest)
}
