/** Length of the window that rates are told over: long enough to be steady, short enough to follow a change. */
const windowMs = 10_000

/** How fast a run goes. */
export interface Rates {
  readonly imagesPerSecond: number
  /** Share of wall time spent waiting for data: 0 to 1. */
  readonly dataWaitShare: number
  readonly secondsPerStep: number
}

interface Mark {
  readonly time: number
  readonly images: number
  readonly waitMs: number
}

/** Rates over the last seconds and over the whole run. Times in milliseconds of a monotonic clock. */
export class RateMeter {
  private readonly marks: Mark[]
  private total: Mark

  constructor(private readonly start: number) {
    this.total = { time: start, images: 0, waitMs: 0 }
    this.marks = [this.total]
  }

  /** Notes a finished step. */
  step(time: number, images: number, waitMs: number): void {
    this.total = { time, images: this.total.images + images, waitMs: this.total.waitMs + waitMs }
    this.marks.push(this.total)
    // The second mark must itself be older than the window: slow steps keep at least one whole step in it.
    while ((this.marks[1]?.time ?? time) < time - windowMs) this.marks.shift()
  }

  /** Over the last seconds. */
  recent(): Rates {
    return between(this.marks[0] ?? this.total, this.total, this.marks.length - 1)
  }

  /** Since the start. `steps` is their number. */
  overall(steps: number): Rates {
    return between({ time: this.start, images: 0, waitMs: 0 }, this.total, steps)
  }
}

function between(from: Mark, to: Mark, steps: number): Rates {
  const ms = to.time - from.time
  if (ms <= 0 || steps === 0) return { imagesPerSecond: 0, dataWaitShare: 0, secondsPerStep: 0 }
  return {
    imagesPerSecond: ((to.images - from.images) / ms) * 1000,
    dataWaitShare: Math.min(1, (to.waitMs - from.waitMs) / ms),
    secondsPerStep: ms / steps / 1000,
  }
}
