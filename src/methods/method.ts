import type { Architecture } from '../config/architecture.js'
import type { Fields, Infer } from '../config/field.js'
import type { OptionGroup } from '../config/option-group.js'
import type { Resolution } from '../config/resolve.js'
import type { MaskSpec } from '../native/types.js'

/** What a model's batches are made of. */
export interface ModelInput {
  /** Height and width in pixels. */
  readonly imageSize: readonly [number, number]
  /** Normalisation of pixels in [0, 1]. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
  /** Which patches are hidden; null for methods that hide none. */
  readonly mask: MaskSpec | null
}

/** Why a run must end although all its numbers are finite, and what to change. */
export interface Verdict {
  readonly what: string
  readonly todo: string
}

/** What shared code reads about a pre-training method; the network itself is native/methods/NAME.cpp. */
export interface Method<Name extends string = string, F extends Fields = Fields> {
  /** The same word in native/methods/registry.cpp. */
  readonly name: Name
  /** Crops of an image per sample. */
  readonly views: number
  /** Metrics of a step besides learning rate, time and norms. */
  readonly columns: readonly string[]
  /** Every option of the method's model, the encoder's included. */
  readonly fields: F
  /** The same options in the order in which help and docs tell them. */
  readonly groups: readonly OptionGroup[]
  /** What its encoder is, beside its options; absent where there is none. */
  readonly architecture?: Architecture
  /** Named rows of overrides over `fields`. */
  readonly presets: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Name of the row for whoever names none. */
  readonly defaultPreset: string
  /**
   * Tensors that follow others: those whose name begins with `prefix` start as the ones of the same name that begins with `of`, where a
   * weights file lacks them.
   */
  readonly follows?: { readonly prefix: string; readonly of: string }
  /**
   * Options that take the place of a preset's and a recipe's because of another that is given: they would have no effect with it. The user's own
   * win. `given` is not checked yet.
   */
  implied?(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
  /** Fills in the defaults that depend on other options, and refuses combinations that cannot work. */
  complete(given: Resolution<F>): Infer<F>
  /** Options of the model that this side alone reads; all others cross to C++. */
  readonly hereOnly: readonly string[]
  /** What a batch for a model must be. */
  input(config: Infer<F>): ModelInput
  /** Pixels of an image's side that one token id stands for; tokenizers alone have it. */
  downsampling?(config: Infer<F>): number
  /** Training options that take the place of the tables' defaults, for a model of this preset. */
  trainDefaults?(preset: string): Readonly<Record<string, unknown>>
  /** What changes from step to step besides learning rate and weight decay: the value at a 0-based step of a run of `steps`. */
  schedules?(config: Infer<F>, steps: number): Readonly<Record<string, (step: number) => number>>
  /** Steps after which the learning rate is at `minLr`; all of them unless declared. */
  lrSteps?(config: Infer<F>, steps: number): number
  /**
   * Looks for failures that show in no single number. `recent` holds means over the last steps.
   * @returns why the run must end, as ERR_CAE_DIVERGED
   */
  judge?(at: { readonly step: number; readonly steps: number; readonly recent: Readonly<Record<string, number>> }): Verdict | undefined
}

/** Declares a method; one file each, listed in `registry.ts`. */
export function defineMethod<const Name extends string, F extends Fields>(method: Method<Name, F>): Method<Name, F> {
  return method
}
