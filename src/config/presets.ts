/**
 * Named model sizes: overrides over the tables of `model.ts` and of the method (spec/cae.md 1.10; `cae-nano` is ours).
 * A preset is a shape; how long and on what it trains is a recipe.
 */
export const presets = {
  'cae-nano': { imageSize: 64, patchSize: 8, embedDim: 128, depth: 4, numHeads: 4, regressorDepth: 2, decoderDepth: 2 },
  'cae-tiny': { embedDim: 192, depth: 12, numHeads: 12 },
  'cae-small': { embedDim: 384, depth: 12, numHeads: 12 },
  'cae-base': { embedDim: 768, depth: 12, numHeads: 12 },
  'cae-large': { embedDim: 1024, depth: 24, numHeads: 16, layerScaleInit: 1e-5, init: 'truncated' },
} as const

/** Name of a preset. */
export type PresetName = keyof typeof presets

/** All presets' names. */
export const presetNames = Object.keys(presets) as [PresetName, ...PresetName[]]

/** The preset of whoever names none. */
export const defaultPreset: PresetName = 'cae-small'
