import { type FileHandle, open } from 'node:fs/promises'

import { outputError } from '../io/output-error.js'
import type { MeasureEvent, StepEvent } from './events.js'

/** Keys of a line that tell how fast the machine was: they alone differ between an unbroken run and one with stops. */
export const timingKeys = ['seconds', 'images_per_second', 'data_wait_share', 'eta_seconds', 'peak_memory_mb'] as const

/** Begins the names of what was measured on images that the run shows. */
const measuredPrefix = 'heldout_'

/** `metrics.jsonl`: one JSON object a step, names as in spec/cae.md 7, and one with `heldout_...` after a step that was measured. Numbers that are not finite are written as null. */
export class MetricsFile implements AsyncDisposable {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
  ) {}

  /**
   * Opens the file to go on behind the line of `step`: what comes after it (a run that got further than its checkpoint, a measurement, which
   * is taken again, a torn last line) is cut off, so that the file becomes that of an unbroken run.
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

  /** Writes the line of a step. `seconds` is the time since the start of the run, pauses between resumes not counted. */
  async append(event: StepEvent, seconds: number): Promise<void> {
    const timing: Record<(typeof timingKeys)[number], number> = {
      seconds: rounded(seconds),
      images_per_second: rounded(event.imagesPerSecond),
      data_wait_share: rounded(event.dataWaitShare),
      eta_seconds: rounded(event.etaSeconds),
      peak_memory_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    }
    const { step, epoch, metrics, lr, weightDecay, skipped } = event
    const line = { step, epoch, ...metrics, lr, weight_decay: weightDecay, ...(skipped ? { skipped } : {}), ...timing }
    await this.guarded(() => this.file.appendFile(`${JSON.stringify(line)}\n`))
  }

  /** Writes the line of a measurement, after that of its step. */
  async appendMeasure({ step, metrics }: MeasureEvent): Promise<void> {
    const named = Object.entries(metrics).map(([name, value]) => [measuredPrefix + name, value])
    await this.guarded(() => this.file.appendFile(`${JSON.stringify({ step, ...Object.fromEntries(named) })}\n`))
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

/** Length of the file up to and with the line of `step`, or of the last step before it. Reads from the end: such files grow large. */
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
      const line = parseLine(text.subarray(before + 1, end))
      if (line && (line.step < step || (line.step === step && line.isOfStep))) return from + end + 1
      text = text.subarray(0, before + 1)
      end = before
    }
  }
  return 0
}

/** The step that a line is about, and whether it is that step's own or a measurement's. */
function parseLine(line: Uint8Array): { readonly step: number; readonly isOfStep: boolean } | undefined {
  try {
    const { step, ...rest } = JSON.parse(Buffer.from(line).toString())
    const names = Object.keys(rest)
    const isMeasurement = names.length > 0 && names.every((name) => name.startsWith(measuredPrefix))
    return typeof step === 'number' ? { step, isOfStep: !isMeasurement } : undefined
  } catch {
    return undefined // torn by a kill
  }
}
