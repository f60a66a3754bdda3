// A small training with the built package, for programs that misuse it in processes and worker threads of their own.
// TINY_SETTINGS: those of tiny-run.ts, as JSON.
const { createHash } = require('node:crypto')
const { readdirSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const cae = require('../../lib/index.js')

const image = (index) => ({ data: Uint8Array.from({ length: 36 * 32 * 3 }, (_, i) => i * index), width: 36, height: 32, channels: 3 })
const data = { length: 22, get: image, name: (index) => `image-${index}` }

/** Options of a run of the tiny model that takes well under a second. */
const options = (out, change = {}) => ({
  ...JSON.parse(process.env.TINY_SETTINGS),
  data,
  out,
  steps: 12,
  figureEvery: 0,
  checkpointEvery: 3,
  ...change,
})

/** Checksum of a run's newest weights; equal runs have equal ones. */
const weightsOf = (out) =>
  createHash('sha256')
    .update(readFileSync(join(out, 'checkpoints/latest/model.safetensors')))
    .digest('hex')

/** Trains to the end, goes on from what is there, and gives the weights' checksum. */
async function train(out, change = {}) {
  const result = await cae.trainCAE({ ...options(out, change), resume: 'auto' })
  await result.model.dispose()
  return weightsOf(out)
}

/** What this process holds, in the kernel's words. */
const held = () => ({
  fileDescriptors: readdirSync('/proc/self/fd').length - 1,
  threads: readdirSync('/proc/self/task').length,
  residentMiB: process.memoryUsage.rss() / 2 ** 20,
})

module.exports = { cae, options, weightsOf, train, sleep, held }
