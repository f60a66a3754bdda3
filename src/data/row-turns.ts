import { setImmediate as nextTurn } from 'node:timers/promises'

/** Pixels handled between two turns of the event loop: about 1 ms of JavaScript. */
const pixelsPerTurn = 1 << 18

/** Runs `work` over all rows of an image, a band at a time, so that a photo of any size leaves the event loop free. */
export async function byRows(width: number, height: number, work: (top: number, bottom: number) => void): Promise<void> {
  const rows = Math.max(1, Math.floor(pixelsPerTurn / width))
  for (let top = 0; top < height; top += rows) {
    if (top > 0) await nextTurn()
    work(top, Math.min(top + rows, height))
  }
}
