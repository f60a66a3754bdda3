import { existsSync } from 'node:fs'

const hasDriver = existsSync('/proc/driver/nvidia/version')

/**
 * `describe` where an NVIDIA driver is, else one that skips aloud. A machine with a driver and a CPU build of libtorch fails: the tests would
 * otherwise pass for ever without having run on a GPU.
 */
export function describeOnGpu(name: string, tests: () => void): void {
  if (!hasDriver) process.stderr.write(`SKIPPED: ${name}: no NVIDIA driver on this machine; nothing has run on a GPU\n`)
  const block = hasDriver ? describe : describe.skip
  block(name, tests)
}
