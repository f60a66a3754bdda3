import { type FileHandle, open } from 'node:fs/promises'

import { outputError } from '../io/output-error.js'
import type { StepEvent } from './events.js'
import type { Metrics } from './means.js'

/** Keys of a line that tell how fast the machine was: they alone differ between an unbroken run and one with stops. */
export const timingKeys = ['seconds', 'images_per_second', 'data_wait_share', 'eta_seconds', 'peak_memory_mb'] as const

/** `metrics.jsonl`: one JSON object a step, names as in spec/cae.md 7; that of a step after which the model was measured has `heldout_...` too. Numbers that are not finite are written as null. */
export class MetricsFile implements AsyncDisposable {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
  ) {}

  /**
   * Opens the file to go on behind the line of `step`: what comes after it (a run that got further than its checkpoint, a torn last line) is
   * cut off, so that the file becomes that of an unbroken run.
   * @throws {CaeError} ERR_CAE_OUTPUT when it cannot be written
   */
  static async open(path: string, step: number): Promise<MetricsFile> {
    try {
      const file = await open(path, 'a+')
      try {
        await file.truncate(await endOfStep(file, step))
      } catch (error) {
        await file.close()
        throw error
      }
      return new MetricsFile(path, file)
    } catch (error) {
      throw outputError(path, error)
    }
  }

  /**
   * Writes the line of a step.
   * @param seconds since the start of the run, pauses between resumes not counted
   * @param measured what was measured after the step
   */
  async append(event: StepEvent, seconds: number, measured: Metrics = {}): Promise<void> {
    const timing: Record<(typeof timingKeys)[number], number> = {
      seconds: rounded(seconds),
      images_per_second: rounded(event.imagesPerSecond),
      data_wait_share: rounded(event.dataWaitShare),
      eta_seconds: rounded(event.etaSeconds),
      peak_memory_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    }
    const { step, epoch, metrics, lr, weightDecay, skipped } = event
    const heldout = Object.fromEntries(Object.entries(measured).map(([name, value]) => [`heldout_${name}`, value]))
    const line = { step, epoch, ...metrics, lr, weight_decay: weightDecay, ...(skipped ? { skipped } : {}), ...heldout, ...timing }
    await this.guarded(() => this.file.appendFile(`${JSON.stringify(line)}\n`))
  }

  /** Waits until the disk has every line so far. */
  async sync(): Promise<void> {
    await this.guarded(() => this.file.sync())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close()
  }

  private async guarded(write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      throw outputError(this.path, error)
    }
  }
}

/** Milliseconds and thousandths are enough of any time. */
function rounded(value: number): number {
  return Number(value.toFixed(3))
}

const blockBytes = 1 << 16

/** Length of the file up to and with the last whole line of a step not after `step`. Reads from the end: such files grow large. */
async function endOfStep(file: FileHandle, step: number): Promise<number> {
  let from = (await file.stat()).size
  let text = Buffer.alloc(0) // the file from `from` on, up to a line that was looked at
  while (from > 0) {
    const size = Math.min(blockBytes, from)
    const block = Buffer.alloc(size)
    await file.read(block, 0, size, from - size)
    from -= size
    text = Buffer.concat([block, text])
    for (let end = text.lastIndexOf(10); end >= 0; ) {
      const before = end === 0 ? -1 : text.lastIndexOf(10, end - 1)
      if (before < 0 && from > 0) break // the line begins in an earlier block
      const lineStep = stepOf(text.subarray(before + 1, end))
      if (lineStep !== undefined && lineStep <= step) return from + end + 1
      text = text.subarray(0, before + 1)
      end = before
    }
  }
  return 0
}

function stepOf(line: Uint8Array): number | undefined {
  try {
    const { step } = JSON.parse(Buffer.from(line).toString())
    return typeof step === 'number' ? step : undefined
  } catch {
    return undefined // torn by a kill
  }
}
