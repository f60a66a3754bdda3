import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

const intervalMs = 10
/** A tick that is later than this is counted on its own: a service that trains beside its work would notice it. */
export const noticeableMs = 50

/** How late a 10 ms timer fired, in ms. */
export interface Lateness {
  readonly ticks: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Ticks later than 50 ms. */
  readonly over50: number
}

/**
 * A 10 ms timer that keeps book of its lateness in bounded memory: counts of whole tenths of a millisecond, up to 10 s. A process that was
 * stopped from outside and goes on (Ctrl-Z) was not late meanwhile.
 */
export class LatenessTimer {
  private counts = new Uint32Array(100_000)
  private max = 0
  private next = performance.now() + intervalMs
  /** Of the last tick, which may still turn out to come from a stop. */
  private lastLate: number | undefined
  private readonly timer = setInterval(() => this.tick(), intervalMs)
  private readonly goOn = () => {
    this.lastLate = undefined
    this.next = performance.now() + intervalMs
  }

  constructor() {
    process.on('SIGCONT', this.goOn)
  }

  private tick(): void {
    this.count()
    const now = performance.now()
    this.lastLate = Math.max(0, now - this.next)
    this.next = now + intervalMs
  }

  private count(): void {
    if (this.lastLate === undefined) return
    const bin = Math.min(Math.floor(this.lastLate * 10), this.counts.length - 1)
    this.counts[bin] = (this.counts[bin] ?? 0) + 1
    this.max = Math.max(this.max, this.lastLate)
    this.lastLate = undefined
  }

  /** What was seen since the start or the last call; counting begins anew. */
  take(): Lateness {
    this.tick() // a timer that never got its turn counts as well
    this.count()
    const ticks = this.counts.reduce((sum, count) => sum + count, 0)
    let seen = 0
    const bin = this.counts.findIndex((count) => {
      seen += count
      return seen >= 0.99 * ticks
    })
    const over50 = this.counts.subarray(noticeableMs * 10).reduce((sum, count) => sum + count, 0)
    const lateness = { ticks, p99Ms: (bin + 1) / 10, maxMs: this.max, over50 }
    this.counts.fill(0)
    this.max = 0
    return lateness
  }

  stop(): void {
    clearInterval(this.timer)
    process.off('SIGCONT', this.goOn)
  }
}

/** The same timer in a process that does nothing else: what the machine itself costs, with whatever runs on it. */
export class IdleNeighbour implements Disposable {
  private readonly child: ChildProcess = fork(__filename, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] })

  async take(): Promise<Lateness> {
    const answer = once(this.child, 'message')
    this.child.send('take')
    const [lateness] = await answer
    return lateness as Lateness
  }

  [Symbol.dispose](): void {
    this.child.kill()
  }
}

if (require.main === module) {
  const timer = new LatenessTimer()
  process.on('message', () => process.send?.(timer.take()))
  process.on('disconnect', () => process.exit())
}
