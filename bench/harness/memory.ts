import { readFile } from 'node:fs/promises'

/** Resident memory of a process, in bytes. */
export interface Memory {
  readonly rssBytes: number
  readonly peakBytes: number
}

/** This process's resident memory now and at its highest; from the kernel, as the Python peer reads its own. */
export async function readMemory(): Promise<Memory> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => null)
  if (status === null) {
    return { rssBytes: process.memoryUsage.rss(), peakBytes: process.resourceUsage().maxRSS * 1024 }
  }
  const bytes = (field: string) => Number(status.match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'))?.[1] ?? Number.NaN) * 1024
  return { rssBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') }
}
