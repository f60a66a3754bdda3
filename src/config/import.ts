import { type Fields, flag, type Infer, type Input, int, oneOf, perChannel, size } from './field.js'

/** How an encoder is taken from a file. What is left open is read from the file, or from the `config.json` beside it. */
export const importFields = {
  /** Input size: one number for square images, or [height, width]. Positions are resampled as the file's own method does it. */
  imageSize: size({ default: null, meaning: "the file's own", min: 2, max: 8192, unit: 'px' }),
  /** Side of a patch; the patch projection is resampled. */
  patchSize: int({ default: null, meaning: "the file's own", min: 1, max: 512, unit: 'px' }),
  /** Attention heads, which tensors do not tell. */
  numHeads: int({
    default: null,
    meaning: 'from `config.json`, a relative position table or the method; else one for every 64 channels',
    min: 1,
    max: 256,
  }),
  /** Mean of each colour channel, of pixels from 0 to 1, that normalisation takes away. */
  mean: perChannel({ default: null, meaning: 'from `preprocessor_config.json`, or as the method has it', min: 0, max: 1 }),
  /** Standard deviation of each colour channel that normalisation divides by. */
  std: perChannel({ default: null, meaning: 'from `preprocessor_config.json`, or as the method has it', min: 1e-6 }),
  /** Between the two layers of an MLP; tensors do not tell. */
  activation: oneOf(['gelu', 'quick-gelu'], { default: null, meaning: "from `config.json`, or the method's" }),
  /** Refuse a file with tensors that nothing is known about; else they are left aside. */
  strict: flag({ default: true }),
} as const satisfies Fields

/** How an encoder is taken from a file, resolved. */
export type ImportConfig = Infer<typeof importFields>
/** What a user may write of it. */
export type ImportInput = Input<typeof importFields>
