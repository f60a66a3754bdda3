import { mkdir, readdir, readFile, readlink, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'

import { CaeError } from '../errors.js'
import { replaceLink, syncFolder, temporaryPath, type WrittenFile, writeFileSynced } from '../io/atomic-write.js'
import { sha256File } from '../io/checksum.js'
import { messageOf, outputError, systemCode } from '../io/output-error.js'
import { type SafetensorsEntry, writeNewSafetensors } from '../io/safetensors.js'

const manifestName = 'manifest.json'
const latestName = 'latest'

/** Name of the file with a checkpoint's weights, and of the one with the optimizer's moments. */
export const modelFile = 'model.safetensors'
export const optimizerFile = 'optimizer.safetensors'
export const stateFile = 'trainer.json'

/** What `manifest.json` says: written last, so a folder that has it was complete once, and its sums tell whether it still is. */
interface Manifest {
  readonly format: 1
  readonly step: number
  readonly files: Readonly<Record<string, WrittenFile>>
}

/** A training state on its way to disk: a copy, which no step changes while it is written. */
export interface CheckpointContent {
  readonly step: number
  readonly model: readonly SafetensorsEntry[]
  /** Text for the head of the model file: what a reader needs to use the weights. */
  readonly modelMetadata: Readonly<Record<string, string>>
  readonly optimizer: readonly SafetensorsEntry[]
  /** Content of `trainer.json`. */
  readonly state: object
}

/** A checkpoint that is complete on disk. */
export interface Checkpoint {
  readonly step: number
  /** Its folder. */
  readonly path: string
  readonly bytes: number
}

/**
 * Writes `FOLDER/step-N` whole or not at all, then points `FOLDER/latest` at it. An older folder of the same step, a damaged one for example,
 * is replaced.
 * @throws {CaeError} ERR_CAE_OUTPUT when it cannot be written; nothing of it is left then, and earlier checkpoints are as they were
 */
export async function writeCheckpoint(folder: string, content: CheckpointContent): Promise<Checkpoint> {
  const path = join(folder, nameOf(content.step))
  const temporary = temporaryPath(path)
  try {
    await mkdir(temporary)
    const files = {
      [modelFile]: await writeNewSafetensors(join(temporary, modelFile), content.model, content.modelMetadata),
      [optimizerFile]: await writeNewSafetensors(join(temporary, optimizerFile), content.optimizer),
      [stateFile]: await writeFileSynced(join(temporary, stateFile), `${JSON.stringify(content.state)}\n`),
    }
    const manifest: Manifest = { format: 1, step: content.step, files }
    const { bytes } = await writeFileSynced(join(temporary, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`)
    await syncFolder(temporary)
    await removeWhole(path) // only a damaged one can be there
    await rename(temporary, path)
    await syncFolder(folder)
    await replaceLink(join(folder, latestName), nameOf(content.step))
    return { step: content.step, path, bytes: Object.values(files).reduce((sum, file) => sum + file.bytes, bytes) }
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined) // the first error is the one to tell
    throw outputError(path, error)
  }
}

/**
 * Points `FOLDER/latest` at a checkpoint that is known to be whole: what is found damaged must not stay the latest.
 * @throws {CaeError} ERR_CAE_OUTPUT when it cannot be written
 */
export async function pointLatest(folder: string, step: number): Promise<void> {
  const link = join(folder, latestName)
  const target = await readlink(link).catch(() => undefined)
  if (target !== nameOf(step)) await replaceLink(link, nameOf(step))
}

/** Folders called `step-N`, the newest first, complete or not. */
export async function listCheckpoints(folder: string): Promise<{ step: number; path: string }[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return []
    throw outputError(folder, error)
  })
  return names
    .map((name) => ({ step: Number(/^step-(\d+)$/.exec(name)?.[1] ?? Number.NaN), path: join(folder, name) }))
    .filter(({ step }) => Number.isSafeInteger(step))
    .sort((a, b) => b.step - a.step)
}

/**
 * Checks every file of a checkpoint against its manifest.
 * @throws {CaeError} ERR_CAE_CHECKPOINT naming the file that is missing, torn or changed; `signal.reason` when aborted
 */
export async function verifyCheckpoint(path: string, signal?: AbortSignal): Promise<Checkpoint> {
  const manifest = await readManifest(path)
  let total = 0
  for (const name of [modelFile, optimizerFile, stateFile]) {
    const file = join(path, name)
    const wanted = manifest.files[name]
    if (!wanted) throw damaged(file, 'the manifest does not list it')
    const size = (await stat(file).catch(() => undefined))?.size
    if (size === undefined) throw damaged(file, 'it is missing')
    if (size !== wanted.bytes) throw damaged(file, `it has ${size} bytes, ${wanted.bytes} were written`)
    const sum = await sha256File(file, signal).catch((error: unknown) => {
      signal?.throwIfAborted()
      throw damaged(file, messageOf(error))
    })
    if (sum !== wanted.sha256) throw damaged(file, 'its content is not what was written (checksum)')
    total += size
  }
  return { step: manifest.step, path, bytes: total }
}

/** Which checkpoints are kept. */
export interface Keeping {
  /** How many of the newest, at least 1. */
  readonly keepLast: number
  /** Besides these, every one whose step is a multiple of this; 0: none. */
  readonly keepEvery: number
}

/**
 * Removes older checkpoints. The one just written, `newest`, always stays, and so does everything that is not a checkpoint.
 * @throws {CaeError} ERR_CAE_OUTPUT when the folder cannot be changed
 */
export async function pruneCheckpoints(folder: string, newest: number, { keepLast, keepEvery }: Keeping): Promise<void> {
  const older = (await listCheckpoints(folder)).filter(({ step }) => step < newest)
  for (const { step, path } of older.slice(keepLast - 1)) {
    if (keepEvery === 0 || step % keepEvery !== 0) await removeWhole(path)
  }
}

function nameOf(step: number): string {
  return `step-${step}`
}

/** Removes a checkpoint so that a half-removed one never stands under its name. */
async function removeWhole(path: string): Promise<void> {
  const aside = temporaryPath(path)
  try {
    await rename(path, aside)
    await rm(aside, { recursive: true, force: true })
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw outputError(path, error)
  }
}

async function readManifest(path: string): Promise<Manifest> {
  const file = join(path, manifestName)
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw damaged(file, systemCode(error) === 'ENOENT' ? 'it is missing' : messageOf(error))
  }
  if (!isManifest(value)) throw damaged(file, 'it is not a manifest of this version')
  if (basename(path) !== latestName && basename(path) !== nameOf(value.step)) throw damaged(file, `it belongs to step ${value.step}`)
  return value
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false
  const { format, step, files } = value as Partial<Record<keyof Manifest, unknown>>
  return format === 1 && typeof step === 'number' && typeof files === 'object' && files !== null
}

function damaged(where: string, what: string): CaeError {
  return new CaeError('ERR_CAE_CHECKPOINT', { what: `the checkpoint is damaged: ${what}`, where, todo: 'use an earlier checkpoint' })
}
