import type { TokenizerTrainOptions } from '../../src/methods/resolve.js'
import { drawnImages } from './tiny-run.js'

/** The smallest tokenizer with every part of DALL-E's in it: 2 x 2 ids an image. */
export const tinyTokenizer = { preset: 'dvae-nano', imageSize: 16, hiddenDim: 4, decoderInputDim: 6, vocabSize: 12 } as const

/** The smallest light one: 4 x 4 ids an image. */
export const tinyLight = {
  preset: 'light-nano',
  imageSize: 16,
  hiddenDim: 6,
  codebookDim: 5,
  vocabSize: 12,
  numLayers: 2,
  averageDecay: 0.9,
  klWeight: 0.001,
} as const

/** A run of the tiny tokenizer that takes well under a second. */
export function tinyTokenizerRun(out: string, change: Partial<TokenizerTrainOptions> = {}): TokenizerTrainOptions {
  const own = { model: tinyTokenizer, batchSize: 4, steps: 8, precision: 'fp32', seed: 5, threads: 1, figureImages: 2 } as const
  return { data: drawnImages(22), out, ...own, ...change }
}
