import type { PresetName } from './presets.js'

/** The authors' pre-training, 32 × 64 images a step (spec/cae.md 6.5). Their masks hide 98 of 196 patches: half, as is the default here. */
const authors = { batchSize: 2048, lr: 1.5e-3, minLr: 1e-5, weightDecay: 0.05, clipNorm: 3 } as const
const authorsMask = { maskShape: 'block', maskMinBlock: 16, dropPath: 0.1 } as const
/** Their second version, which predicts another encoder's latents (spec/cae.md 10.5). */
const authorsV2 = { ...authors, epochs: 300, warmupEpochs: 10, scaleMin: 0.4 } as const

/**
 * Named ways to train: overrides over a preset, under the user's own options. `preset` is the model of whoever names none.
 * With `cae-large` the authors' recipes keep LayerScale and start weights of that preset.
 */
export const recipes = {
  /** The authors' 300 epochs of ViT-B. */
  'authors-300e': { preset: 'cae-base', model: authorsMask, train: { ...authors, epochs: 300, warmupEpochs: 10 } },
  /** The authors' 800 epochs of ViT-B. */
  'authors-800e': { preset: 'cae-base', model: authorsMask, train: { ...authors, epochs: 800, warmupEpochs: 20 } },
  /** The authors' 1600 epochs, of ViT-B and of ViT-L. */
  'authors-1600e': { preset: 'cae-base', model: authorsMask, train: { ...authors, epochs: 1600, warmupEpochs: 40 } },
  /** The first version of the paper: 75 of 196 patches hidden. */
  'paper-v1': { preset: 'cae-base', model: { ...authorsMask, maskCount: 75 }, train: { ...authors, epochs: 300, warmupEpochs: 10 } },
  /** CAE v2's 300 epochs of ViT-B, but for a colour jitter of 0.4, which is no option here. Wants `target: { latents: ... }`, CLIP's ViT-B/16 there. */
  'authors-v2-base': { preset: 'cae-base', model: { ...authorsMask, target: 'latents' }, train: authorsV2 },
  /** The same of ViT-S: 49 of 196 patches hidden, one regressor block. */
  'authors-v2-small': {
    preset: 'cae-small',
    model: { ...authorsMask, target: 'latents', maskCount: 49, regressorDepth: 1 },
    train: authorsV2,
  },
  /** The same of ViT-Ti: 30 of 196 patches hidden, one regressor block, 96 wide. */
  'authors-v2-tiny': {
    preset: 'cae-tiny',
    model: { ...authorsMask, target: 'latents', maskCount: 30, regressorDepth: 1, decoderDim: 96 },
    train: authorsV2,
  },
  /** Minutes on two CPU cores: small pictures on a plain ground, half of the patches hidden at random. */
  demo: {
    preset: 'cae-nano',
    model: { maskShape: 'random', normalizeTarget: false, dropPath: 0, alignWeight: 5 },
    train: {
      epochs: 38,
      batchSize: 32,
      lr: 3e-3,
      minLr: 1e-5,
      warmupEpochs: 1,
      beta2: 0.95,
      scaleMin: 0.6,
      alpha: '#ffffff',
      holdout: 256,
      figureEvery: 500,
    },
  },
} as const satisfies Readonly<Record<string, { readonly preset: PresetName; readonly model: object; readonly train: object }>>

/** Name of a recipe. */
export type RecipeName = keyof typeof recipes

/** All recipes' names. */
export const recipeNames = Object.keys(recipes) as [RecipeName, ...RecipeName[]]
