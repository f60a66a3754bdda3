import type { CaeErrorCode } from '../errors.js'

/** The run is about to take its first step. */
export interface StartEvent {
  readonly type: 'start'
  readonly out: string
  /** Optimizer steps of the whole run. */
  readonly steps: number
  /** Steps already done: 0, or the resumed checkpoint's. */
  readonly startStep: number
  readonly stepsPerEpoch: number
  /** Images trained on; those held out are not counted. */
  readonly images: number
  readonly batchSize: number
  readonly device: string
  readonly precision: 'fp32' | 'bf16'
  /** Trainable numbers. */
  readonly parameters: number
  /** Checkpoint folder the run goes on from. */
  readonly resumedFrom?: string
}

/** One optimizer step is done. */
export interface StepEvent {
  readonly type: 'step'
  /** Steps done so far, this one included. */
  readonly step: number
  readonly steps: number
  /** Epochs done so far, with fraction. */
  readonly epoch: number
  /** As spec/cae.md 7 names them: `loss`, `loss_main`, `loss_align` (weighted), `grad_norm`, ...; `relative_loss` is ours: `loss_main` over that of a constant prediction. */
  readonly metrics: Readonly<Record<string, number>>
  readonly lr: number
  readonly weightDecay: number
  /** A loss or gradient was not finite and nothing was changed. */
  readonly skipped: boolean
  /** Over the last seconds. */
  readonly imagesPerSecond: number
  /** Share of wall time spent waiting for data, over the last seconds: 0 to 1. */
  readonly dataWaitShare: number
  readonly etaSeconds: number
}

/** All images have been seen once more. */
export interface EpochEvent {
  readonly type: 'epoch'
  /** Epochs done. */
  readonly epoch: number
  /** Means over the epoch's steps. */
  readonly metrics: Readonly<Record<string, number>>
  readonly seconds: number
}

/** A checkpoint is complete on disk. */
export interface CheckpointEvent {
  readonly type: 'checkpoint'
  readonly step: number
  readonly path: string
  readonly bytes: number
}

/** Images that the run is measured on have been measured: those held out, or some of the others where none are. */
export interface MeasureEvent {
  readonly type: 'measure'
  readonly step: number
  /** By the method: an encoder has `feature_std` and `effective_rank`, a tokenizer `psnr`, `perplexity`, `used_codes`, ... */
  readonly metrics: Readonly<Record<string, number>>
}

/** A picture was written. */
export interface FigureEvent {
  readonly type: 'figure'
  readonly step: number
  /** `reconstruction`, `loss`, ... */
  readonly name: string
  readonly path: string
  /** The file's content. */
  readonly png: Uint8Array
}

/** Something the user should know that did not stop the run; each is said once. */
export interface WarningEvent {
  readonly type: 'warning'
  readonly code: CaeErrorCode | 'NOTE'
  readonly message: string
}

/** The run is over: all files are written. */
export interface EndEvent {
  readonly type: 'end'
  readonly summary: TrainSummary
}

/** What a run was, in figures. */
export interface TrainSummary {
  readonly steps: number
  readonly epochs: number
  readonly seconds: number
  readonly imagesPerSecond: number
  readonly dataWaitShare: number
  /** Means over the last 50 steps, or all when there were fewer. */
  readonly metrics: Readonly<Record<string, number>>
  /** Images that could not be used; `bad-images.jsonl` lists them. */
  readonly badImages: number
  readonly skippedSteps: number
  /** The newest checkpoint. */
  readonly checkpoint: string
}

/** What a run tells: iterate over it, or ignore it. */
export type TrainEvent = StartEvent | StepEvent | EpochEvent | CheckpointEvent | MeasureEvent | FigureEvent | WarningEvent | EndEvent

/** Hears every event in order, steps included, and may keep the run waiting; for files of the run itself (metrics, TensorBoard). */
export interface TrainListener {
  onEvent(event: TrainEvent): void | Promise<void>
  close?(): void | Promise<void>
}
