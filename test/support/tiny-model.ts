/** The smallest model with every part in it. */
export const tinyModel = {
  preset: 'cae-nano',
  imageSize: 32,
  patchSize: 8,
  embedDim: 16,
  depth: 2,
  numHeads: 2,
  decoderDim: 24, // with a projection between encoder and regressor
  decoderHeads: 2,
  regressorDepth: 1,
  decoderDepth: 1,
  maskMinBlock: 2,
  dropPath: 0.2,
} as const
