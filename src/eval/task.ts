import type { Fields, Parsed } from '../config/field.js'
import type { BadImage } from '../data/bad-images.js'
import type { Dataset } from '../data/dataset.js'
import type { FeatureExtractor } from './extractor.js'

/** How far an evaluation has come. */
export interface EvalProgress {
  /** What it is doing: encoding the training images, encoding the test images, or training a probe. */
  readonly stage: 'train-features' | 'test-features' | 'probe'
  /** Images, or steps of the probe. */
  readonly done: number
  readonly total: number
}

/** What every evaluation works on. */
export interface EvalContext {
  readonly extractor: FeatureExtractor
  readonly train: Dataset
  readonly test: Dataset
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: EvalProgress) => void) | undefined
}

/** What every evaluation tells. Accuracies are in percent. */
export interface EvalResult {
  /** Share of test images whose class came first. */
  readonly accuracy: number
  /** Share of test images whose class was among the first five. */
  readonly top5: number
  readonly classes: number
  /** Images used. */
  readonly trainImages: number
  readonly testImages: number
  /** Images of both sets that could not be used. */
  readonly badImages: readonly BadImage[]
  /** Wall time. */
  readonly seconds: number
}

/** An evaluation: its name, its options, and how it is done. Shared code knows nothing else about it. */
export interface EvalTask<Name extends string, F extends Fields, Result extends EvalResult & { readonly task: Name }> {
  readonly name: Name
  readonly fields: F
  run(context: EvalContext, config: Parsed<F>): Promise<Result>
}
