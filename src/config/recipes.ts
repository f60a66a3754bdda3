import type { PresetName } from './presets.js'

/** The authors' pre-training, 32 × 64 images a step (spec/cae.md 6.5). Their masks hide 98 of 196 patches: half, as is the default here. */
const authors = { batchSize: 2048, lr: 1.5e-3, minLr: 1e-5, weightDecay: 0.05, clipNorm: 3 } as const
const authorsMask = { maskShape: 'block', maskMinBlock: 16, dropPath: 0.1 } as const

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
