import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { CaeError } from '../errors.js'
import { syncFolder, temporaryMark, writeFileAtomic } from './atomic-write.js'
import { messageOf, outputError, systemCode } from './output-error.js'
import { assertUnlocked, RunLock } from './run-lock.js'

/** What a run writes into its folder. */
const names = {
  config: 'config.json',
  metrics: 'metrics.jsonl',
  badImages: 'bad-images.jsonl',
  contentSums: 'content-sums.bin',
  checkpoints: 'checkpoints',
  images: 'images',
  tensorboard: 'tensorboard',
  debug: 'debug',
  lock: 'run.lock',
} as const

/** Path of what a run has written into its folder, for those who only read. */
export function runPath(out: string, name: keyof typeof names): string {
  return join(out, names[name])
}

/** What is at the path given as `out`: a place for a new run, or a run with its `config.json`. */
export type RunFolderState = { readonly kind: 'free' } | { readonly kind: 'run'; readonly config: unknown }

/**
 * Looks, without touching anything, whether `out` can take a run.
 * @throws {CaeError} ERR_CAE_OUTPUT when it is no folder or cannot be read; ERR_CAE_OPTION when it holds files of the same names that are not a
 * run's; ERR_CAE_CHECKPOINT when its `config.json` cannot be read as JSON
 */
export async function inspectRunFolder(out: string): Promise<RunFolderState> {
  const found = await namesIn(out)
  const lost = found.includes(names.checkpoints) || found.includes(names.metrics)
  if (!found.includes(names.config)) {
    if (!lost) return { kind: 'free' }
    throw new CaeError('ERR_CAE_OPTION', {
      what: 'out: the folder has results of a run but no config.json to go on with',
      where: out,
      todo: 'choose another `out`',
    })
  }
  const path = join(out, names.config)
  try {
    return { kind: 'run', config: JSON.parse(await readFile(path, 'utf8')) }
  } catch (error) {
    throw new CaeError('ERR_CAE_CHECKPOINT', { what: `not the configuration of a run: ${messageOf(error)}`, where: path }, { cause: error })
  }
}

/**
 * Looks, without touching anything, whether a run is writing into `out`.
 * @throws {CaeError} ERR_CAE_OUTPUT when one is
 */
export async function assertNoWriter(out: string): Promise<void> {
  await assertUnlocked(join(out, names.lock))
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw outputError(folder, error)
  }
}

/** The folder of a run while that run writes into it. Nobody else writes meanwhile. */
export class RunFolder implements AsyncDisposable {
  readonly metrics: string
  readonly badImages: string
  readonly contentSums: string
  readonly checkpoints: string
  readonly images: string
  readonly tensorboard: string
  /** Captured steps; made when there is one. */
  readonly debug: string

  private constructor(
    readonly out: string,
    private readonly lock: RunLock,
  ) {
    this.metrics = join(out, names.metrics)
    this.badImages = join(out, names.badImages)
    this.contentSums = join(out, names.contentSums)
    this.checkpoints = join(out, names.checkpoints)
    this.images = join(out, names.images)
    this.tensorboard = join(out, names.tensorboard)
    this.debug = join(out, names.debug)
  }

  /**
   * Makes the folder where needed, locks it, and clears away what a killed run had not finished.
   * @throws {CaeError} ERR_CAE_OUTPUT when it cannot be made or another run is writing into it
   */
  static async claim(out: string): Promise<RunFolder> {
    await makeFolder(out)
    const lock = await RunLock.take(join(out, names.lock))
    try {
      const folder = new RunFolder(out, lock)
      for (const path of [folder.checkpoints, folder.images]) await makeFolder(path)
      for (const path of [out, folder.checkpoints, folder.images, folder.debug]) await removeUnfinished(path)
      await syncFolder(out)
      return folder
    } catch (error) {
      await lock[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Writes `config.json`. */
  async writeConfig(config: object): Promise<void> {
    await writeFileAtomic(join(this.out, names.config), `${JSON.stringify(config, undefined, 2)}\n`)
  }

  /** @throws {CaeError} ERR_CAE_OUTPUT when the folder is gone or was taken over by another run */
  async assertHeld(): Promise<void> {
    await this.lock.assertHeld()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lock[Symbol.asyncDispose]()
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await makeWithParents(path)
  } catch (error) {
    throw outputError(path, error)
  }
}

/** Not `mkdir` with `recursive`: that one never returns where a file system takes no folders but says ENOENT, as /proc does (Node 20 to 24). */
async function makeWithParents(path: string): Promise<void> {
  const make = () =>
    mkdir(path).catch(async (error: unknown) => {
      if (systemCode(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
    })
  try {
    await make()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeWithParents(dirname(path))
    await make()
  }
}

async function removeUnfinished(folder: string): Promise<void> {
  try {
    for (const name of await namesIn(folder)) {
      if (name.startsWith(temporaryMark)) await rm(join(folder, name), { recursive: true, force: true })
    }
  } catch (error) {
    throw outputError(folder, error)
  }
}
