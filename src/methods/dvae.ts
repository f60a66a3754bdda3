import { type Fields, type Infer, type Input, int, real } from '../config/field.js'
import { optionDocs } from '../config/option-docs.js'
import type { Resolution } from '../config/resolve.js'
import { defineMethod } from './method.js'
import { checkGrid, cosine, hereOnly, judgeCodebook, tokenizerFields } from './tokenizer.js'

/** What DALL-E's discrete VAE has beside what every tokenizer has. */
export const dalleFields = {
  /** Channels that the decoder brings codes to before its first group. */
  decoderInputDim: int({ default: 128, min: 1, max: 4096 }),
  /** Residual blocks at each of the four resolutions, in encoder and decoder. */
  blocksPerGroup: int({ default: 2, min: 1, max: 64 }),
  /** Weight of the KL term at the end of its warm-up. */
  betaEnd: real({ default: 6.6, min: 0 }),
  /** Share of the run over which that weight rises from 0. */
  betaShare: real({ default: 1 / 600, min: 0, max: 1 }),
} as const satisfies Fields

export const dvaeFields = { ...tokenizerFields, ...dalleFields } as const

/** DALL-E's discrete VAE with every option resolved. */
export type DvaeConfig = Infer<typeof dvaeFields>

/** DALL-E's discrete VAE as a user describes it. */
export type DvaeInput = Input<typeof dvaeFields> & {
  /** Named size that the options go over. */
  readonly preset?: keyof typeof presets | undefined
}

/** An id stands for a square of so many pixels a side. */
const side = 8

const presets = {
  'dvae-nano': {
    imageSize: 64,
    vocabSize: 512,
    hiddenDim: 16,
    decoderInputDim: 64,
    blocksPerGroup: 1,
    averageDecay: 0.99,
    tauShare: 0.5,
    lrShare: 1,
    betaShare: 0.02,
  },
  'dvae-small': { imageSize: 128, vocabSize: 1024, hiddenDim: 64 },
  'dvae-dalle': { imageSize: 256, vocabSize: 8192, hiddenDim: 256 },
} as const

/** The paper's optimizer and crops: a square of the shorter side, resized to 9/8 to 12/8 of the input, of which the input's size is cut out. */
const paper = {
  batchSize: 512,
  lr: 1e-4,
  minLr: 1.25e-6,
  weightDecay: 1e-4,
  warmupSteps: 0,
  clipNorm: 0,
  scaleMin: (8 / 12) ** 2,
  scaleMax: (8 / 9) ** 2,
  ratioMin: 1,
  ratioMax: 1,
} as const

const trained: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'dvae-nano': { ...paper, batchSize: 16, lr: 1e-3, minLr: 2e-5, warmupSteps: null, clipNorm: 1, scaleMin: 0.6, scaleMax: 1 },
  'dvae-small': { ...paper, batchSize: 64, lr: 3e-4 },
  'dvae-dalle': paper,
}

function complete({ values, refuse }: Resolution<typeof dvaeFields>): DvaeConfig {
  if (values.hiddenDim % 4 !== 0) refuse('hiddenDim', 'is not a multiple of 4', `hiddenDim: ${Math.ceil(values.hiddenDim / 4) * 4}`)
  checkGrid(values.imageSize, side)
  return values
}

/** DALL-E's discrete VAE (Ramesh et al. 2021): images to ids and back, trained with relaxed codes. */
export const dvae = defineMethod({
  name: 'dvae',
  views: 1,
  columns: ['loss', 'nll_bits', 'loss_kl', 'kl', 'perplexity'],
  fields: dvaeFields,
  groups: [
    { title: 'Tokenizer', fields: tokenizerFields, docs: optionDocs.tokenizerFields },
    { title: "DALL-E's discrete VAE", fields: dalleFields, docs: optionDocs.dalleFields },
  ],
  presets,
  defaultPreset: 'dvae-nano',
  follows: { prefix: 'average.', of: '' },
  downsampling: () => side,
  hereOnly: [...hereOnly, 'betaEnd', 'betaShare'],
  complete,
  trainDefaults: (preset) => trained[preset] ?? paper,
  input: ({ imageSize }) => ({ imageSize, mean: [-0.125, -0.125, -0.125], std: [1.25, 1.25, 1.25], mask: null }), // 0.8 x + 0.1
  schedules: (c, steps) => ({ tau: cosine(c.tauStart, c.tauEnd, c.tauShare, steps), beta: cosine(0, c.betaEnd, c.betaShare, steps) }),
  lrSteps: ({ lrShare }, steps) => Math.max(1, Math.round(lrShare * steps)),
  judge: judgeCodebook,
})
