import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

import type { MetricsPoint } from './figures/loss-curve.js'

/**
 * The losses of a run from its `metrics.jsonl`, in the order of the steps. A torn last line, of a run that was killed, is left out.
 * @throws whatever the file system reports
 */
export async function readLosses(path: string): Promise<MetricsPoint[]> {
  const points: MetricsPoint[] = []
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const point = parsePoint(line)
    if (point) points.push(point)
  }
  return points
}

function parsePoint(line: string): MetricsPoint | undefined {
  try {
    const { step, ...rest }: Record<string, unknown> = JSON.parse(line)
    const losses = Object.entries(rest).flatMap(([name, value]) => (isLoss(name) && typeof value === 'number' ? [[name, value]] : []))
    return typeof step === 'number' && losses.length > 0 ? { step, metrics: Object.fromEntries(losses) } : undefined
  } catch {
    return undefined
  }
}

function isLoss(name: string): boolean {
  return name === 'loss' || name.startsWith('loss_')
}
