import { type Fields, flag, type Infer, oneOf } from './field.js'
import { encoderFields } from './model.js'

/** What tells vision transformers of one size apart (spec/baselines.md 1, 4.1, 8.5). A method of training decides it; it is no option of its. */
export const architectureFields = {
  /** Absolute positions: sin-cos as in `encoderFields`, a table of the checkpoint's, or none. */
  positions: oneOf(['reference', 'grid', 'learned', 'none'], { default: 'learned' }),
  /** A bias of attention by the offset of two patches: none, one table for all blocks, or one in each. */
  relativePositions: oneOf(['none', 'shared', 'per-block'], { default: 'none' }),
  /** Keys have a bias as queries and values have. */
  keyBias: flag({ default: true }),
  /** Between the two layers of an MLP. */
  activation: oneOf(['gelu', 'quick-gelu'], { default: 'gelu' }),
  /** The patch projection has a bias. */
  patchBias: flag({ default: true }),
  /** A LayerNorm before the first block. */
  inputNorm: flag({ default: false }),
  /** What the last LayerNorm normalises: every token, the mean of the patches, or nothing. */
  outputNorm: oneOf(['tokens', 'mean', 'none'], { default: 'tokens' }),
} as const satisfies Fields

const { init: _, ...sizes } = encoderFields

/** Any vision transformer that the native encoder can be. */
export const vitFields = { ...sizes, ...architectureFields } as const satisfies Fields

/** A vision transformer with everything said about it. */
export type VitConfig = Infer<typeof vitFields>

/** What a method decides about its encoder; positions may be an option of it. */
export type Architecture = Omit<Infer<typeof architectureFields>, 'positions'>
