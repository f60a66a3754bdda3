import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { CaeError } from '../errors.js'
import { type Checkpoint, listCheckpoints, stateFile, verifyCheckpoint } from './checkpoint.js'
import type { HealthState } from './health.js'
import type { ProgressState } from './progress.js'

/** `trainer.json` of a checkpoint. */
export interface RunState extends ProgressState {
  /** Absent in checkpoints of versions that did not keep it. */
  readonly health?: HealthState
}

/** A checkpoint to go on from. */
export interface ResumePoint {
  readonly checkpoint: Checkpoint
  readonly state: RunState
  /** What is wrong with newer ones that were passed over. */
  readonly damaged: readonly CaeError[]
}

/**
 * The newest checkpoint whose files agree with its manifest.
 * @returns undefined where none was ever written
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there are some and all are damaged: starting anew would lose them silently; `signal.reason` when aborted
 */
export async function findResumePoint(checkpoints: string, signal?: AbortSignal): Promise<ResumePoint | undefined> {
  const damaged: CaeError[] = []
  for (const { path } of await listCheckpoints(checkpoints)) {
    try {
      const checkpoint = await verifyCheckpoint(path, signal)
      return { checkpoint, state: await readState(path), damaged }
    } catch (error) {
      if (!(error instanceof CaeError)) throw error
      damaged.push(error)
    }
  }
  if (damaged.length === 0) return undefined
  throw new CaeError(
    'ERR_CAE_CHECKPOINT',
    {
      what: `none of the ${damaged.length} checkpoints of this run is whole`,
      where: damaged.map(({ parts }) => `${parts.where}: ${parts.what}`).join('\n      '),
      todo: 'restore one from a copy, or start a new run in another `out` (with `initFrom`, from weights that are whole)',
    },
    { cause: damaged[0] },
  )
}

async function readState(path: string): Promise<RunState> {
  const file = join(path, stateFile)
  const state: RunState = JSON.parse(await readFile(file, 'utf8')) // its checksum agrees: it is what we wrote
  if (state.format === 1) return state
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `the checkpoint was written by another version (format ${state.format})`,
    where: file,
    todo: 'go on with the version of the package that wrote it',
  })
}
