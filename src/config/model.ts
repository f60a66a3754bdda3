import type { MaskSpec } from '../native/types.js'
import { type Fields, type Infer, int, oneOf, perChannel, real, size } from './field.js'

/** The vision transformer that is kept after pre-training, and what goes into it. Defaults: the paper's ViT-S. */
export const encoderFields = {
  /** Input size: one number for square images, or [height, width]. Both are multiples of `patchSize`. */
  imageSize: size({ default: [224, 224], min: 2, max: 8192, unit: 'px' }),
  /** Side of a patch, which becomes one token. */
  patchSize: int({ default: 16, min: 1, max: 512, unit: 'px' }),
  /** Width of the encoder: a multiple of `numHeads` and of 4. */
  embedDim: int({ default: 384, min: 4, max: 16384 }),
  /** Blocks of the encoder. */
  depth: int({ default: 12, min: 1, max: 256 }),
  /** Attention heads of the encoder. */
  numHeads: int({ default: 12, min: 1, max: 256 }),
  /** Hidden channels of every MLP, as a multiple of the width. */
  mlpRatio: real({ default: 4, min: 0.01, max: 64 }),
  /** Epsilon of every LayerNorm. */
  layerNormEps: real({ default: 1e-6, min: 0 }),
  /** Start value of the encoder's LayerScale vectors; 0 leaves LayerScale out. */
  layerScaleInit: real({ default: 0.1, min: 0 }),
  /** Drop path rate of the last block; the rate rises from 0 over the blocks of each stack. */
  dropPath: real({ default: 0.1, min: 0, max: 0.99 }),
  /** Row and column of a patch in the sin-cos table: as the authors' code has them, or true to the grid. They differ for non-square images only. */
  positions: oneOf(['reference', 'grid'], { default: 'reference' }),
  /** Mean of each colour channel, of pixels from 0 to 1, that normalisation takes away. */
  mean: perChannel({ default: [0.485, 0.456, 0.406], min: 0, max: 1 }),
  /** Standard deviation of each colour channel that normalisation divides by. */
  std: perChannel({ default: [0.229, 0.224, 0.225], min: 1e-6 }),
  /** How weights start: Xavier (small and base), or truncated normal with residual projections scaled by depth (large). */
  init: oneOf(['xavier', 'truncated'], { default: 'xavier' }),
} as const satisfies Fields

/** Which patches are hidden; for methods that hide some. */
export const maskFields = {
  /** How the hidden patches are chosen: in blocks, or each by itself. */
  maskShape: oneOf(['block', 'random'], { default: 'block' }),
  /** Hidden patches of an image, the same number in every one. */
  maskCount: int({ derived: 'half of the patches', min: 1 }),
  /** Fewest patches that a block aims at. */
  maskMinBlock: int({ default: 16, min: 1 }),
  /** Most patches that a block may hide. */
  maskMaxBlock: int({ default: 0, min: 0, meaning: '0: as many as `maskCount`' }),
} as const satisfies Fields

/** The encoder's options, resolved. */
export type EncoderConfig = Infer<typeof encoderFields>

/** The mask's options, resolved. */
export type MaskConfig = Infer<typeof maskFields>

/** Rows and columns of patches. */
export function patchGrid(config: Pick<EncoderConfig, 'imageSize' | 'patchSize'>): {
  readonly gridHeight: number
  readonly gridWidth: number
} {
  const [height, width] = config.imageSize
  return { gridHeight: height / config.patchSize, gridWidth: width / config.patchSize }
}

/** The mask as the native side draws it. */
export function maskSpec(config: Pick<EncoderConfig, 'imageSize' | 'patchSize'> & MaskConfig): MaskSpec {
  return {
    shape: config.maskShape,
    ...patchGrid(config),
    count: config.maskCount,
    minBlock: config.maskMinBlock,
    maxBlock: config.maskMaxBlock === 0 ? config.maskCount : config.maskMaxBlock,
  }
}
