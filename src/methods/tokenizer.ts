import { type Fields, int, real, size } from '../config/field.js'
import { optionError } from '../config/resolve.js'
import type { Verdict } from './method.js'

/** What every tokenizer has, and how it is trained. Shares of the run are DALL-E's: 5k, 150k and 1200k of 3000k steps (spec/baselines.md 2.6). */
export const tokenizerFields = {
  /** Size of the images that it is trained on: one number for square ones, or [height, width]; multiples of the pixels that an id stands for. */
  imageSize: size({ default: [256, 256], min: 2, max: 8192, unit: 'px' }),
  /** Codes in the codebook: ids run from 0 to one less. */
  vocabSize: int({ default: 8192, min: 2, max: 2 ** 20 }),
  /** Channels at full resolution; deeper layers of DALL-E's network have 2, 4 and 8 times as many. A multiple of 4. */
  hiddenDim: int({ default: 256, min: 4, max: 4096 }),
  /** Share of its old value that the average of the weights keeps at a step: ids come from the average. 0: no average, the weights themselves. */
  averageDecay: real({ default: 0.999, min: 0, max: 0.999999 }),
  /** Temperature of the relaxed codes at the first step. */
  tauStart: real({ default: 1, min: 0.001, max: 100 }),
  /** Temperature that the cosine ends at: the lower, the closer to single codes. */
  tauEnd: real({ default: 1 / 16, min: 0.001, max: 100 }),
  /** Share of the run over which the temperature falls. */
  tauShare: real({ default: 0.05, min: 0.05, max: 1 }),
  /** Share of the run over which the learning rate falls to `minLr`. */
  lrShare: real({ default: 0.4, min: 0.01, max: 1 }),
} as const satisfies Fields

/** Options of this table that the native side does not read: it takes images of any size, and its schedules' values step by step. */
export const hereOnly = ['imageSize', 'tauStart', 'tauEnd', 'tauShare', 'lrShare'] as const

/**
 * Half a cosine from one value to another (spec/baselines.md 2.6).
 * @param share of the run's `steps` after which it is there, and stays
 * @returns the value at a 0-based step
 */
export function cosine(from: number, to: number, share: number, steps: number): (step: number) => number {
  const length = Math.max(1, share * steps)
  return (step) => to + 0.5 * (from - to) * (1 + Math.cos((Math.PI * Math.min(step, length)) / length))
}

/** Refuses images that the grid of codes does not divide. */
export function checkGrid(imageSize: readonly [number, number], side: number, prefix = ''): void {
  const odd = imageSize.find((n) => n % side !== 0)
  if (odd === undefined) return
  const below = Math.floor(odd / side) * side
  throw optionError({
    what: `${prefix}imageSize ${imageSize.join('x')} is not a multiple of the ${side} pixels that an id stands for`,
    todo: `${below > 0 ? `${below} or ` : ''}${below + side} instead of ${odd}`,
  })
}

/** Below this perplexity of the ids a codebook says next to nothing: as good as one code for everything. */
const collapsed = 1.5

/**
 * Whether a codebook has collapsed: after the first twentieth of the run, nearly all places of the last batches had one and the same id.
 * @param recent means over the last steps
 */
export function judgeCodebook(at: { step: number; steps: number; recent: Readonly<Record<string, number>> }): Verdict | undefined {
  const { perplexity } = at.recent
  if (perplexity === undefined || perplexity >= collapsed || at.step < Math.max(50, 0.05 * at.steps)) return undefined
  return {
    what: `the codebook has collapsed: the perplexity of the last ids is ${perplexity.toFixed(2)}, so almost all images become the same id`,
    todo: 'lower the weight of the KL term (`betaEnd`, `klWeight`) or raise its warm-up (`betaShare`); let the temperature fall more slowly (`tauShare`, a higher `tauEnd`); lower `lr`',
  }
}
