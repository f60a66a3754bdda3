import * as proto from '../io/protobuf.js'
import type { StepEvent, TrainEvent, TrainListener } from '../train/events.js'
import { createEventFile, type EventFile } from './event-file.js'
import { pngInfo } from './png-info.js'

/** Points and pictures on TensorBoard's time axis. Field numbers are those of its `event.proto` and `summary.proto`. */
export class TensorBoardWriter implements AsyncDisposable {
  private constructor(
    private readonly file: EventFile,
    private readonly now: () => number,
  ) {}

  /**
   * Starts a new event file in `folder`, next to those of earlier processes.
   * @param options.firstStep what earlier files hold of this step and later ones is void: the run went back to a checkpoint
   * @throws {CaeError} ERR_CAE_OUTPUT
   */
  static async create(
    folder: string,
    options: { readonly firstStep?: number; readonly now?: () => number } = {},
  ): Promise<TensorBoardWriter> {
    const { firstStep = 0, now = Date.now } = options
    const writer = new TensorBoardWriter(await createEventFile(folder, now()), now)
    writer.file.append(proto.toBytes(proto.join(proto.double(1, now() / 1000), proto.text(3, 'brain.Event:2'))))
    if (firstStep > 0) writer.event(firstStep, proto.message(7, proto.int(1, sessionStart)))
    await writer.flush()
    return writer
  }

  /** Adds a point to each curve of `values`, keyed by tag. */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    const points = Object.entries(values).map(([tag, value]) => proto.message(1, proto.text(1, tag), proto.float(2, value)))
    this.event(step, proto.message(5, ...points))
  }

  /** Adds a picture, given as the content of a PNG file. */
  image(step: number, tag: string, png: Uint8Array): void {
    const { width, height, channels } = pngInfo(png)
    const image = [proto.int(1, height), proto.int(2, width), proto.int(3, channels), proto.bytes(4, png)]
    this.event(step, proto.message(5, proto.message(1, proto.text(1, tag), proto.message(4, ...image))))
  }

  /** Makes all that was added visible to readers. @throws {CaeError} ERR_CAE_OUTPUT */
  async flush(): Promise<void> {
    await this.file.flush()
  }

  /** Flushes and closes; a second call does nothing. */
  async close(): Promise<void> {
    await this.file.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  private event(step: number, content: proto.Message): void {
    this.file.append(proto.toBytes(proto.join(proto.double(1, this.now() / 1000), proto.int(2, step), content)))
  }
}

/** `SessionLog.START`: on it TensorBoard drops the points of earlier files from the event's step on. */
const sessionStart = 1

/** A reader that looks on sees the newest points after at most this long. */
const flushEveryMs = 5000

/**
 * Writes a run's events for TensorBoard: `train/loss` and the other metrics, `train/lr`, `train/weight_decay`, `speed/images_per_second`,
 * `speed/data_wait` at every step, and each figure under its name.
 * @param folder `tensorboard/` of the run's folder; made at the run's start
 */
export function tensorBoardListener(folder: string, options: { readonly now?: () => number } = {}): TrainListener {
  const now = options.now ?? Date.now
  let writer: TensorBoardWriter | undefined
  let flushedAt = 0

  const flush = async (): Promise<void> => {
    flushedAt = now()
    await writer?.flush()
  }
  return {
    async onEvent(event: TrainEvent): Promise<void> {
      if (event.type === 'start')
        writer = await TensorBoardWriter.create(folder, { firstStep: event.startStep && event.startStep + 1, now })
      else if (event.type === 'step') writer?.scalars(event.step, stepScalars(event))
      else if (event.type === 'measure') writer?.scalars(event.step, named('heldout', event.metrics))
      else if (event.type === 'figure') writer?.image(event.step, event.name, event.png)
      if (event.type !== 'step' || now() - flushedAt >= flushEveryMs) await flush()
    },
    async close(): Promise<void> {
      await writer?.close()
    },
  }
}

function named(room: string, metrics: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${room}/${name}`, value]))
}

function stepScalars(event: StepEvent): Record<string, number> {
  return {
    ...named('train', event.metrics),
    'train/lr': event.lr,
    'train/weight_decay': event.weightDecay,
    'speed/images_per_second': event.imagesPerSecond,
    'speed/data_wait': event.dataWaitShare,
  }
}
