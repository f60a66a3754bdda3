import type { Architecture } from '../config/architecture.js'
import type { Fields, Infer } from '../config/field.js'
import type { OptionGroup } from '../config/option-group.js'
import type { Resolution } from '../config/resolve.js'

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
  /** What its encoder is, beside its options. */
  readonly architecture: Architecture
  /** Named rows of overrides over `fields`. */
  readonly presets: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Name of the row for whoever names none. */
  readonly defaultPreset: string
  /**
   * Tensors that follow others: those whose name begins with `prefix` start as the ones of the same name that begins with `of`, where a
   * weights file lacks them.
   */
  readonly follows?: { readonly prefix: string; readonly of: string }
  /** Fills in the defaults that depend on other options, and refuses combinations that cannot work. */
  complete(given: Resolution<F>): Infer<F>
}

/** Declares a method; one file each, listed in `registry.ts`. */
export function defineMethod<const Name extends string, F extends Fields>(method: Method<Name, F>): Method<Name, F> {
  return method
}
