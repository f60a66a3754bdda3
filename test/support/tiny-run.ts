import type { Dataset } from '../../src/data/dataset.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { drawImage } from './images.js'

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

/** Images drawn from their index. */
export function drawnImages(length: number): Dataset {
  return { length, get: (index) => drawImage(index, 36, 32), name: (index) => `drawn-${index}` }
}

/** A run of the tiny model that takes well under a second. */
export function tinyRun(out: string, change: Partial<TrainOptions> = {}): TrainOptions {
  const length = change.epochs === undefined ? { steps: 8 } : {}
  return {
    data: drawnImages(22),
    out,
    model: tinyModel,
    batchSize: 4,
    precision: 'fp32',
    seed: 5,
    threads: 1,
    figureImages: 1,
    ...length,
    ...change,
  }
}
