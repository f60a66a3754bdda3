import type { Dataset } from '../../src/data/dataset.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { drawImage } from './images.js'
import { tinyModel } from './tiny-model.js'

/** Images drawn from their index. */
export function drawnImages(length: number): Dataset {
  return { length, get: (index) => drawImage(index, 36, 32), name: (index) => `drawn-${index}` }
}

/** What every such run has, but its data and its folder. */
export const tinySettings = { model: tinyModel, batchSize: 4, precision: 'fp32', seed: 5, threads: 1, figureImages: 1 } as const

/** A run of the tiny model that takes well under a second. */
export function tinyRun(out: string, change: Partial<TrainOptions> = {}): TrainOptions {
  const length = change.epochs === undefined ? { steps: 8 } : {}
  return { data: drawnImages(22), out, ...tinySettings, ...length, ...change }
}
