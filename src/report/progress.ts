import type { WriteStream } from 'node:tty'
import { SingleBar } from 'cli-progress'

import type { StepEvent, TrainEvent, TrainListener } from '../train/events.js'
import { endText, measureText, rateText, startText, stepText, warningText } from './progress-text.js'

/** Where and how progress is shown. */
export interface ProgressOptions {
  /** Default: the standard error stream, so that results on standard output can be piped. A bar when it is a terminal, else plain lines. */
  readonly stream?: NodeJS.WritableStream
  /** In plain lines: one at least this often, and one every tenth of the run. Default 30,000. */
  readonly everyMs?: number
  readonly now?: () => number
}

/**
 * Shows a run's progress to people: hand it every event of the run, and close it at the end, also after an error.
 * @example
 * const progress = terminalProgress()
 * for await (const event of run) progress.onEvent(event)
 * progress.close()
 */
export function terminalProgress(options: ProgressOptions = {}): TrainListener & { onEvent(event: TrainEvent): void; close(): void } {
  const { stream = process.stderr, everyMs = 30_000, now = Date.now } = options
  const paint = hasColors(stream) ? colored : plain
  const steps = isTerminal(stream) ? barSteps(stream) : lineSteps(stream, everyMs, now)
  const say = (text: string): void => steps.interrupt(() => stream.write(`${text}\n`))

  return {
    onEvent(event) {
      switch (event.type) {
        case 'start':
          say(startText(event))
          return steps.start(event.steps, event.startStep)
        case 'step':
          return steps.step(event)
        case 'warning':
          return say(paint(event.code === 'NOTE' ? 'dim' : 'yellow', warningText(event)))
        case 'measure':
          return say(paint('dim', measureText(event)))
        case 'figure':
          return say(paint('dim', `picture: ${event.path}`))
        case 'end':
          steps.stop()
          return say(paint('green', endText(event)))
        case 'epoch':
        case 'checkpoint':
          return undefined
        default:
          return event satisfies never
      }
    },
    close: () => steps.stop(),
  }
}

/** The moving part: the steps between start and end. */
interface StepDisplay {
  start(steps: number, startStep: number): void
  step(event: StepEvent): void
  /** Lets `write` put whole lines on the stream. */
  interrupt(write: () => void): void
  stop(): void
}

/** Columns from which a line holds the parts of the loss as well. */
const wideColumns = 112

function barSteps(stream: WriteStream): StepDisplay {
  const isWide = stream.columns >= wideColumns
  const bar = new SingleBar({
    stream,
    format: '{bar} {percentage} %  {value}/{total}  {rate}',
    barCompleteChar: '\u2588',
    barIncompleteChar: '\u2591',
    barsize: isWide ? 16 : 10,
    fps: 5,
    hideCursor: true,
    clearOnComplete: true,
  })
  let state: { steps: number; step: number; rate: string } | undefined // undefined: not running
  const show = (): void => {
    if (state) bar.start(state.steps, state.step, { rate: state.rate })
  }
  return {
    start(steps, startStep) {
      state = { steps, step: startStep, rate: '' }
      show()
    },
    step(event) {
      if (!state) return
      state = { steps: event.steps, step: event.step, rate: rateText(event, { lossParts: isWide }) }
      bar.update(state.step, { rate: state.rate })
    },
    // Off and on again: the bar returns to the row where it was started, which a line in between has made another one.
    interrupt(write) {
      bar.stop()
      write()
      show()
    },
    stop() {
      bar.stop()
      state = undefined
    },
  }
}

function lineSteps(stream: NodeJS.WritableStream, everyMs: number, now: () => number): StepDisplay {
  let saidAt = now()
  let saidTenth = 0
  const tenth = (step: number, steps: number): number => Math.floor((step / steps) * 10)
  return {
    start(steps, startStep) {
      saidAt = now()
      saidTenth = tenth(startStep, steps)
    },
    step(event) {
      const reached = tenth(event.step, event.steps)
      if (reached === saidTenth && now() - saidAt < everyMs) return
      saidAt = now()
      saidTenth = reached
      stream.write(`${stepText(event)}  ${rateText(event, { lossParts: true })}\n`)
    },
    interrupt: (write) => write(),
    stop: () => undefined,
  }
}

function isTerminal(stream: NodeJS.WritableStream): stream is WriteStream {
  return 'isTTY' in stream && stream.isTTY === true
}

/** Node's own rule, which heeds NO_COLOR, FORCE_COLOR and TERM. */
function hasColors(stream: NodeJS.WritableStream): boolean {
  return isTerminal(stream) && stream.hasColors()
}

const colorCodes = { dim: 2, green: 32, yellow: 33 } as const
type Paint = (color: keyof typeof colorCodes, text: string) => string
const colored: Paint = (color, text) => `\x1b[${colorCodes[color]}m${text}\x1b[0m`
const plain: Paint = (_, text) => text
