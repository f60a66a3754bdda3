import { type Fields, flag, type Infer, type Input, int, oneOf, real } from '../config/field.js'
import { optionDocs } from '../config/option-docs.js'
import type { Resolution } from '../config/resolve.js'
import { defineMethod } from './method.js'
import { checkGrid, cosine, hereOnly, judgeCodebook, tokenizerFields } from './tokenizer.js'

/** What the light discrete VAE has beside what every tokenizer has. */
export const lightFields = {
  /** Order of its layers: BEiT's, or that of the original code, which has all residual blocks in the middle. */
  layout: oneOf(['beit', 'original'], { default: 'beit' }),
  /** Strided convolutions each way: an id stands for 2 to this power pixels a side. */
  numLayers: int({ default: 3, min: 1, max: 8 }),
  /** Width of the codebook's vectors. */
  codebookDim: int({ default: 512, min: 1, max: 16384 }),
  /** Residual blocks of the original layout; BEiT's has one a layer. */
  resBlocks: int({ default: 2, min: 0, max: 64 }),
  /** How reconstructions are compared with images. */
  reconstructionLoss: oneOf(['mse', 'smooth-l1'], { default: 'mse' }),
  /** Decode single codes, with the gradient of the relaxed ones. */
  straightThrough: flag({ default: false }),
  /** Weight of the KL term, which is a sum over all images of a step, as in the reference. */
  klWeight: real({ default: 0, min: 0 }),
} as const satisfies Fields

export const lightDvaeFields = { ...tokenizerFields, ...lightFields } as const

/** The light discrete VAE with every option resolved. */
export type LightDvaeConfig = Infer<typeof lightDvaeFields>

/** The light discrete VAE as a user describes it. */
export type LightDvaeInput = Input<typeof lightDvaeFields> & {
  /** Named size that the options go over. */
  readonly preset: keyof typeof presets
}

/** The codes' own end of the temperature, over the whole run; their weights are not averaged (spec/baselines.md 2.7). */
const reference = { averageDecay: 0, tauEnd: 0.5, tauShare: 1, lrShare: 1 } as const

const presets = {
  'light-nano': { ...reference, imageSize: 64, vocabSize: 512, hiddenDim: 32, codebookDim: 64 },
  'light-beit': { ...reference, imageSize: 128, vocabSize: 8192, hiddenDim: 256, codebookDim: 512 },
} as const

const train = { batchSize: 8, lr: 1e-3, minLr: 1e-5, weightDecay: 0, warmupSteps: 0, clipNorm: 0 } as const

function complete({ values }: Resolution<typeof lightDvaeFields>): LightDvaeConfig {
  checkGrid(values.imageSize, 2 ** values.numLayers)
  return values
}

/** The light discrete VAE of lucidrains/DALLE-pytorch, which BEiT took over: strided convolutions, a codebook, a squared error. */
export const dvaeLight = defineMethod({
  name: 'dvae-light',
  views: 1,
  columns: ['loss', 'recon', 'loss_kl', 'kl', 'perplexity'],
  fields: lightDvaeFields,
  groups: [
    { title: 'Tokenizer', fields: tokenizerFields, docs: optionDocs.tokenizerFields },
    { title: 'Light discrete VAE', fields: lightFields, docs: optionDocs.lightFields },
  ],
  presets,
  defaultPreset: 'light-nano',
  follows: { prefix: 'average.', of: '' },
  downsampling: ({ numLayers }) => 2 ** numLayers,
  hereOnly,
  complete,
  trainDefaults: (preset) => (preset === 'light-nano' ? { ...train, batchSize: 32, scaleMin: 0.6 } : train),
  input: ({ imageSize }) => ({ imageSize, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], mask: null }),
  schedules: (c, steps) => ({ tau: cosine(c.tauStart, c.tauEnd, c.tauShare, steps) }),
  lrSteps: ({ lrShare }, steps) => Math.max(1, Math.round(lrShare * steps)),
  judge: judgeCodebook,
})
