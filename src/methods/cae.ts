import { type Fields, flag, type Infer, type Input, int, oneOf, real } from '../config/field.js'
import { encoderFields, maskFields, maskSpec, patchGrid } from '../config/model.js'
import { optionDocs } from '../config/option-docs.js'
import { encoderGroup, maskGroup } from '../config/option-group.js'
import { defaultPreset, type PresetName, presets } from '../config/presets.js'
import { type Resolution, showValue } from '../config/resolve.js'
import { checkBlockMask } from './block-mask.js'
import { defineMethod } from './method.js'

/** What a Context Autoencoder has beside its encoder and its masks. */
export const pretextFields = {
  /** Width of regressor and decoder: a multiple of `decoderHeads` and of 4. */
  decoderDim: int({ derived: 'as wide as the encoder', min: 4, max: 16384 }),
  /** Attention heads of regressor and decoder. */
  decoderHeads: int({ derived: 'as many as the encoder', min: 1, max: 256 }),
  /** Start value of the LayerScale vectors of regressor and decoder; 0 leaves LayerScale out. */
  decoderLayerScaleInit: real({ derived: 'as in the encoder', min: 0 }),
  /** Blocks of the latent contextual regressor, which predicts the hidden patches' latents. */
  regressorDepth: int({ default: 4, min: 1, max: 256 }),
  /** Blocks of the decoder, which makes the prediction out of those latents; none with `target: 'latents'`. */
  decoderDepth: int({ default: 4, min: 0, max: 256 }),
  /** What is predicted: pixels of hidden patches, ids that a tokenizer gives them, or another encoder's latents of all patches. */
  target: oneOf(['pixels', 'tokens', 'latents'], { default: 'pixels' }),
  /** Ids that a tokenizer knows; read with `target: 'tokens'`. */
  vocabSize: int({ default: 8192, min: 2, max: 2 ** 24 }),
  /** Channels of the latents that are predicted; read with `target: 'latents'`. */
  latentDim: int({ default: 512, min: 1, max: 2 ** 16 }),
  /** Weight of the loss of latents, which is 1 - cosine. */
  latentWeight: real({ default: 1, min: 0 }),
  /** Pixel targets have mean 0 and variance 1 in every patch. */
  normalizeTarget: flag({ default: false }),
  /** Weight of the alignment loss, which keeps predicted latents where the encoder would put them; 0 with `target: 'latents'`. */
  alignWeight: real({ default: 2, min: 0 }),
  /** Weights of the alignment target: the encoder's own, or a copy that lags behind. */
  targetWeights: oneOf(['shared', 'lagged'], { default: 'shared' }),
  /** Share of its old weights that the lagging copy keeps at a step; 0 makes it one step old. */
  targetMomentum: real({ default: 0, min: 0, max: 1 }),
  /** The alignment target draws a drop path of its own, as in the authors' code. */
  alignDropPath: flag({ default: true }),
} as const satisfies Fields

/** All options of a Context Autoencoder. */
export const caeFields = { ...encoderFields, ...maskFields, ...pretextFields } as const

/** A Context Autoencoder with every option resolved; `config.json` of a run holds it. */
export type CAEConfig = Infer<typeof caeFields>

/** A Context Autoencoder as a user describes it: options over a preset. */
export type CAEConfigInput = Input<typeof caeFields> & {
  /** Named size that the options go over. */
  readonly preset?: PresetName | undefined
}

function complete({ values, refuse }: Resolution<typeof caeFields>): CAEConfig {
  const { imageSize, patchSize } = values
  if (imageSize.some((side) => side % patchSize !== 0)) {
    const side = imageSize.find((n) => n % patchSize !== 0) ?? patchSize
    const below = Math.floor(side / patchSize) * patchSize
    refuse(
      'imageSize',
      `is not a multiple of patchSize ${patchSize}`,
      `${below > 0 ? `${below} or ` : ''}${below + patchSize} instead of ${side}`,
    )
  }
  const { gridHeight, gridWidth } = patchGrid(values)
  const patches = gridHeight * gridWidth
  if (patches < 2) refuse('imageSize', 'is a single patch, of which none could be hidden', `a patchSize below ${patchSize}`)

  const config = {
    ...values,
    maskCount: values.maskCount ?? Math.floor(patches / 2),
    decoderDim: values.decoderDim ?? values.embedDim,
    decoderHeads: values.decoderHeads ?? values.numHeads,
    decoderLayerScaleInit: values.decoderLayerScaleInit ?? values.layerScaleInit,
  }
  for (const [width, heads] of [
    ['embedDim', 'numHeads'],
    ['decoderDim', 'decoderHeads'],
  ] as const) {
    const [dim, count] = [config[width], config[heads]]
    if (dim % count !== 0)
      refuse(heads, `does not divide ${width} ${dim}`, `${heads}: ${nearestDivisor(dim, count)}, or another ${width}`, count)
    if (dim % 4 !== 0) refuse(width, 'is not a multiple of 4, which positions need', `${width}: ${Math.ceil(dim / 4) * 4}`, dim)
  }
  if (config.maskCount >= patches) {
    refuse(
      'maskCount',
      `leaves none of the ${patches} patches visible`,
      `a number from 1 to ${patches - 1}; half is ${Math.floor(patches / 2)}`,
    )
  }
  if (config.maskShape === 'block') checkBlockMask({ ...config, gridHeight, gridWidth }, refuse)
  if (config.target === 'latents') {
    // CAE v2 has no decoder's blocks and nothing to align with (spec/cae.md 10.1).
    for (const [name, without] of Object.entries(withLatents) as [keyof typeof withLatents, unknown][]) {
      if (config[name] === without) continue
      refuse(
        name,
        "has no effect with target 'latents', which are predicted without decoder and alignment",
        `${name}: ${showValue(without)}`,
      )
    }
  }
  if (config.targetWeights === 'shared' && config.targetMomentum !== 0) {
    refuse('targetMomentum', "has no effect with targetWeights 'shared'", "targetWeights: 'lagged', or targetMomentum: 0")
  }
  return config
}

/** What is left of options that CAE v2 does not read. */
const withLatents = { decoderDepth: 0, alignWeight: 0, targetWeights: 'shared', normalizeTarget: false } as const

function nearestDivisor(n: number, wanted: number): number {
  const divisors = Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0)
  return divisors.reduce((best, d) => (Math.abs(d - wanted) < Math.abs(best - wanted) ? d : best), 1)
}

/** Context Autoencoder (arXiv 2202.03026): a regressor between encoder and decoder, and a loss that keeps both in one latent space. */
export const cae = defineMethod({
  name: 'cae',
  views: 1,
  // `mlm_acc` with tokens; `cosine` with latents, which have neither `loss_align` nor `relative_loss`.
  columns: ['loss', 'loss_main', 'loss_align', 'relative_loss', 'mlm_acc', 'cosine'],
  fields: caeFields,
  groups: [encoderGroup, maskGroup, { title: 'Context Autoencoder', fields: pretextFields, docs: optionDocs.pretextFields }],
  architecture: {
    relativePositions: 'none',
    keyBias: false,
    activation: 'gelu',
    patchBias: true,
    inputNorm: false,
    outputNorm: 'tokens',
  },
  presets: presets satisfies Readonly<Record<PresetName, CAEConfigInput>>,
  defaultPreset,
  follows: { prefix: 'teacher.', of: 'encoder.' }, // with lagging target weights
  hereOnly: Object.keys(maskFields), // masks are drawn with the data
  input: (config) => ({ imageSize: config.imageSize, mean: config.mean, std: config.std, mask: maskSpec(config) }),
  implied: ({ target }) => (target === 'latents' ? withLatents : {}),
  complete,
})
