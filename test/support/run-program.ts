import { execFile } from 'node:child_process'
import { join } from 'node:path'

import { tinySettings } from './tiny-run.js'

/** The path of a small training, as a string literal of a program. */
export const trainingWorld = JSON.stringify(join(__dirname, 'training-world.cjs'))

/** How a program ended, and what it said. */
export interface Ended {
  readonly status: number | null
  /** Not null when it crashed: SIGSEGV, SIGABRT. */
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program that misuses the built package in a process of its own, with everything of `training-world.cjs` at hand, and `folder`.
 * `npm test` builds the package first.
 */
export function runProgram(folder: string, program: string): Promise<Ended> {
  const world = `const { cae, options, weightsOf, train, sleep, held } = require(${trainingWorld}); const folder = ${JSON.stringify(folder)};`
  const source = `${world} const { Worker } = require('node:worker_threads'); (async () => { ${program} })()`
  const env = { ...process.env, OMP_NUM_THREADS: '1', NO_COLOR: '1', TINY_SETTINGS: JSON.stringify(tinySettings) }
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['-e', source], { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      resolve({ status: child.exitCode, signal: error?.signal ?? child.signalCode, stdout: stdout.trim(), stderr })
    })
  })
}
