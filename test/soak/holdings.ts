import { readdirSync, readFileSync } from 'node:fs'

import { loadAddon } from '#lib/native/load.js'

/** What the process holds at a moment. */
export interface Holdings {
  readonly residentMiB: number
  readonly fileDescriptors: number
  readonly threads: number
  readonly handles: number
  readonly cpuTensors: number
  readonly cpuTensorMiB: number
}

/** Growth that is allowed from the second quarter's median to the last quarter's: this share of it, or so much where that is more. */
const allowances: Readonly<Record<keyof Holdings, { readonly share: number; readonly least: number }>> = {
  residentMiB: { share: 0.02, least: 48 }, // pools find their size in the first hundreds of steps
  fileDescriptors: { share: 0, least: 2 },
  threads: { share: 0, least: 4 }, // pools of libuv and sharp fill as they are needed
  handles: { share: 0, least: 2 },
  cpuTensors: { share: 0.02, least: 20 },
  cpuTensorMiB: { share: 0.02, least: 4 },
}

/** Reads all of it from the kernel and from the addon, within a millisecond. Linux only. */
export async function holdings(): Promise<Holdings> {
  const addon = await loadAddon()
  const { handles, cpuTensors, cpuTensorBytes } = addon.nativeUse()
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1])
  return {
    residentMiB: (pages * 4096) / 2 ** 20,
    fileDescriptors: readdirSync('/proc/self/fd').length - 1, // the listing has one open itself
    threads: readdirSync('/proc/self/task').length,
    handles,
    cpuTensors,
    cpuTensorMiB: cpuTensorBytes / 2 ** 20,
  }
}

/** One line of the result: whether something that the process holds stayed flat. */
export interface Flatness {
  readonly name: keyof Holdings
  readonly first: number
  readonly secondQuarter: number
  readonly lastQuarter: number
  readonly max: number
  readonly allowed: number
  readonly isFlat: boolean
}

/** Compares the median of the last quarter of the samples with that of the second; the first is warm-up. */
export function flatness(samples: readonly Holdings[]): Flatness[] {
  const quarter = (n: number) => samples.slice(Math.floor((samples.length * n) / 4), Math.floor((samples.length * (n + 1)) / 4))
  return (Object.keys(allowances) as (keyof Holdings)[]).map((name) => {
    const values = samples.map((sample) => sample[name])
    const secondQuarter = median(quarter(1).map((sample) => sample[name]))
    const lastQuarter = median(quarter(3).map((sample) => sample[name]))
    const { share, least } = allowances[name]
    const allowed = Math.max(share * secondQuarter, least)
    const isFlat = lastQuarter - secondQuarter <= allowed
    return { name, first: values[0] ?? Number.NaN, secondQuarter, lastQuarter, max: Math.max(...values), allowed, isFlat }
  })
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
