import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { CaeError } from '../errors.js'
import { syncFolder, temporaryPath, writeFileSynced } from '../io/atomic-write.js'
import { messageOf, systemCode } from '../io/output-error.js'
import { type SafetensorsEntry, writeNewSafetensors } from '../io/safetensors.js'
import type { TargetView } from '../methods/target.js'
import type { Hyper, StepMetrics } from '../native/types.js'
import { modelFile, optimizerFile } from './checkpoint.js'
import { parseRunConfig, type RunConfig } from './run-config.js'
import type { StepPart } from './step-batches.js'

/** A step that changed nothing, as the loop knows it. Its batches may be gone from memory. */
export interface SkippedStep {
  readonly hyper: Hyper
  readonly batches: readonly StepPart[]
  readonly result: StepMetrics
}

/** One sample of a captured step. */
export interface CapturedSample {
  /** In the data set. */
  readonly index: number
  /** Path, URL, key, or `#index`. */
  readonly name: string
}

/**
 * `step.json` of a captured step. With the weights beside it, it is all that is needed to do the step again: what a batch holds is a pure
 * function of data set, seed, epoch and indices.
 */
export interface StepCapture {
  readonly format: 1
  /** As `metrics.jsonl` counts: 1 for the first. */
  readonly step: number
  /** Optimizer updates before it. */
  readonly updates: number
  readonly hyper: Hyper
  /** Losses and gradient norm. Numbers that JSON does not have are text: "NaN", "Infinity". */
  readonly values: Readonly<Record<string, number | string>>
  /** One list a part of the step, in the batch's order. */
  readonly parts: readonly { readonly epoch: number; readonly samples: readonly CapturedSample[] }[]
  /** The second view of every crop, of which another network makes the targets; null where none does. */
  readonly view: TargetView | null
  readonly config: RunConfig
}

/** What a capture needs beside the step itself. */
export interface CaptureContext {
  readonly config: RunConfig
  readonly view: TargetView | null
  /** What a sample of the data set is called. */
  name(index: number): string
  /** The present weights and moments: a skipped step left them as they were before it. */
  tensors(): { readonly model: readonly SafetensorsEntry[]; readonly optimizer: readonly SafetensorsEntry[] }
}

const captureFile = 'step.json'

/** Captures that a run's folder holds: each is as large as a checkpoint, and the first ones tell the story. */
const mostCaptures = 3

/** Writes steps that changed nothing into `debug/` of a run's folder. */
export class Captures {
  constructor(
    private readonly folder: string,
    private readonly context: CaptureContext,
  ) {}

  /**
   * Writes `step-N/` whole or not at all: `step.json`, `model.safetensors`, `optimizer.safetensors`.
   * @param updates made by the optimizer before the step
   * @returns what to tell about it: where it is, or why it is not there. Never fails: a run does not end because of a finding aid.
   */
  async write(step: SkippedStep, updates: number): Promise<string> {
    const capture = describe(step, updates, this.context)
    const path = join(this.folder, `step-${capture.step}`)
    try {
      const others = (await namesIn(this.folder)).filter((name) => /^step-\d+$/.test(name) && name !== `step-${capture.step}`)
      if (others.length >= mostCaptures) return `it was not captured: ${this.folder} holds ${others.length} steps already`
      await this.writeFiles(path, capture)
      return `what is needed to do it again is in ${path}: cae-torch replay ${path}`
    } catch (error) {
      return `it could not be captured in ${path}: ${messageOf(error)}`
    }
  }

  private async writeFiles(path: string, capture: StepCapture): Promise<void> {
    const temporary = temporaryPath(path)
    const { model, optimizer } = this.context.tensors()
    try {
      await mkdir(this.folder).catch((error: unknown) => {
        if (systemCode(error) !== 'EEXIST') throw error
      })
      await mkdir(temporary)
      await writeNewSafetensors(join(temporary, modelFile), model)
      await writeNewSafetensors(join(temporary, optimizerFile), optimizer)
      await writeFileSynced(join(temporary, captureFile), `${JSON.stringify(capture, undefined, 2)}\n`)
      await rm(path, { recursive: true, force: true }) // of a run that went back to a checkpoint before this step
      await rename(temporary, path)
      await syncFolder(this.folder)
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined) // the first error is the one to tell
      throw error
    }
  }
}

function describe({ hyper, batches, result }: SkippedStep, updates: number, { config, view, name }: CaptureContext): StepCapture {
  const values = Object.entries(result.values).map(([key, value]) => [key, Number.isFinite(value) ? value : String(value)])
  return {
    format: 1,
    step: hyper.step + 1,
    updates,
    hyper,
    values: Object.fromEntries(values),
    parts: batches.map(({ epoch, indices }) => ({ epoch, samples: indices.map((index) => ({ index, name: name(index) })) })),
    view,
    config,
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  })
}

/**
 * Reads the `step.json` of a captured step.
 * @param path its folder
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none, or it is something else
 */
export async function readCapture(path: string): Promise<StepCapture> {
  const file = join(path, captureFile)
  const refuse = (what: string, cause?: unknown) =>
    new CaeError('ERR_CAE_CHECKPOINT', { what, where: file, todo: 'give a folder debug/step-N of a run' }, { cause })
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw refuse(`not a captured step: ${messageOf(error)}`, error)
  }
  if (!isCapture(value)) throw refuse('not a captured step of this version')
  return { ...value, config: parseRunConfig(value.config, file) }
}

/** The step's metrics as numbers again. */
export function valuesOf({ values }: StepCapture): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]))
}

function isCapture(value: unknown): value is StepCapture {
  if (typeof value !== 'object' || value === null) return false
  const { format, step, updates, hyper, values, parts, view } = value as Partial<Record<keyof StepCapture, unknown>>
  const areObjects = [hyper, values].every((part) => typeof part === 'object' && part !== null)
  return (
    format === 1 &&
    typeof step === 'number' &&
    typeof updates === 'number' &&
    areObjects &&
    Array.isArray(parts) &&
    typeof view === 'object'
  )
}
