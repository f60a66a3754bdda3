import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { env, execPath } from 'node:process'

import { chooseAddon, packageRoot } from '../../src/setup/choose-addon.js'

/** The path of the small world, as a string literal of a program. */
export const world = JSON.stringify(join(__dirname, 'border-world.cjs'))

/** Runs a program in a process of its own, with a small world at hand; resolves with its output when it exits with 0. */
export async function runChild(program: string): Promise<string> {
  const { addon } = await chooseAddon(env, packageRoot)
  return new Promise((resolve, reject) => {
    const source = `const { Worker } = require('node:worker_threads'); const { addon, makeWorld } = require(${world}); (async () => { ${program} })()`
    const options = { env: { ...env, ADDON: addon?.path, OMP_NUM_THREADS: '1' }, maxBuffer: 2 ** 26 }
    execFile(execPath, ['-e', source], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`ended with ${error.code ?? error.signal}: ${stderr}`))
      else resolve(stdout.trim())
    })
  })
}
