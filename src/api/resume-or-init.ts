import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { CaeError } from '../errors.js'
import { optimizerFile, stateFile } from '../train/checkpoint.js'

/** Files that hold weights and nothing of a run; in a folder, by the names that are usual there. */
const weightsFile = /\.(safetensors|bin|pth?|ckpt)$/
const weightsInFolder = /^(model\.safetensors|pytorch_model\.bin)(\.index\.json)?$/

/** Files of a checkpoint that say where a run stood; they hold no weights. */
const runState = ['manifest.json', stateFile, optimizerFile]

/**
 * Refuses to go on with a run in `out` where there is none, but weights or a checkpoint alone.
 * @throws {CaeError} ERR_CAE_CHECKPOINT naming the option that takes what is there
 */
export async function assertNoWeightsAlone(out: string): Promise<void> {
  const isFile = (await stat(out).catch(() => undefined))?.isFile() ?? false
  const found = isFile ? [basename(out)] : await readdir(out).catch(() => [])
  if (found.includes('checkpoints')) return
  const checkpoint = runState.every((name) => found.includes(name))
  const file = found.find((name) => (isFile ? weightsFile : weightsInFolder).test(name))
  if (checkpoint) {
    throw new CaeError('ERR_CAE_CHECKPOINT', {
      what: 'this is one checkpoint of a run, and `resume` goes on with a whole run',
      where: out,
      todo: `\`out\`: the run's folder, or \`initFrom: '${out}'\` for a new run from its weights in another \`out\``,
    })
  }
  if (file === undefined) return
  const path = isFile ? out : join(out, file)
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: 'these are weights alone, and `resume` goes on with a run: it needs its optimizer and its place in the data too',
    where: path,
    todo: `\`initFrom: '${path}'\` for a new run from these weights, in another \`out\``,
  })
}

/**
 * Refuses what `initFrom` was given where it is the state of a run and not its weights.
 * @throws {CaeError} ERR_CAE_CHECKPOINT naming the option that takes it
 */
export function assertNotRunState(path: string): void {
  const name = basename(path)
  if (!runState.includes(name)) return
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `${name} says where a run stood and has no weights; \`initFrom\` takes weights alone`,
    where: path,
    todo: `\`resume: 'auto'\` with the run's folder as \`out\` to go on with that run, or \`initFrom: '${dirname(path)}'\` for a new one from its weights`,
  })
}
