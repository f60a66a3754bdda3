import { inverted, type Layout, prefixed, translator } from './layout.js'
import { mmpretrainBlocks, mmpretrainLayout } from './layouts/mmpretrain.js'
import { timmLayout } from './layouts/timm.js'

/**
 * Ways to call the tensors of a whole Context Autoencoder (spec/cae.md 1.11): A and B of the authors' two repositories, and mmpretrain's. This
 * package writes A.
 */
export type CaeNaming = 'A' | 'B' | 'mmpretrain'

const crossTail = ['cross_attn.q_bias', 'cross_attn.v_bias', 'cross_attn.q.weight', 'cross_attn.k.weight', 'cross_attn.v.weight'] as const

/** A regressor's block where the two repositories agree. */
function crossBlocks(theirs: string, ours: string): Layout {
  const same = ['gamma_1_cross', 'gamma_2_cross', ...crossTail, 'cross_attn.proj.{wb}']
  const norms = ['norm1_q', 'norm1_k', 'norm1_v', 'norm2_cross', 'mlp_cross.fc1', 'mlp_cross.fc2'].map((name) => `${name}.{wb}`)
  return [...same, ...norms].map((tail) => [`${theirs}.${tail}`, `${ours}.${tail}`] as const)
}

function mmpretrainCrossBlocks(theirs: string, ours: string): Layout {
  const same = ['gamma_1_cross', 'gamma_2_cross', ...crossTail, 'cross_attn.proj.{wb}', 'norm2_cross.{wb}']
  return [
    ...same.map((tail) => [`${theirs}.${tail}`, `${ours}.${tail}`] as const),
    ...['q', 'k', 'v'].map((of) => [`${theirs}.norm1_${of}_cross.{wb}`, `${ours}.norm1_${of}.{wb}`] as const),
    [`${theirs}.ffn.layers.0.0.{wb}`, `${ours}.mlp_cross.fc1.{wb}`],
    [`${theirs}.ffn.layers.1.{wb}`, `${ours}.mlp_cross.fc2.{wb}`],
  ]
}

const blockRows = timmLayout.filter(([theirs]) => theirs.startsWith('blocks.{i}.') && !theirs.includes('.ls'))
const decoderBlocks = (theirs: string): Layout =>
  blockRows.map(([name, ours]) => [name.replace('blocks', theirs), ours.replace('blocks', 'pretext_neck.decoder_blocks')] as const)
const encoderRows = timmLayout.filter(([theirs]) => !theirs.includes('.ls'))

const layouts: Readonly<Record<CaeNaming, Layout>> = {
  A: [
    ['mask_token', 'mask_token'],
    ...prefixed(encoderRows, 'encoder.', 'encoder.'),
    ['encoder_to_decoder.{wb}', 'encoder_to_decoder.{wb}'],
    ['encoder_to_decoder_norm.{wb}', 'encoder_to_decoder_norm.{wb}'],
    ...crossBlocks('pretext_neck.regressor_blocks.{i}', 'pretext_neck.regressor_blocks.{i}'),
    ...decoderBlocks('pretext_neck.decoder_blocks'),
    ['pretext_neck.norm.{wb}', 'pretext_neck.norm.{wb}'],
    ['pretext_neck.norm2.{wb}', 'pretext_neck.norm2.{wb}'],
    ['pretext_neck.head.{wb}', 'pretext_neck.head.{wb}'],
  ],
  B: [
    ['mask_token', 'mask_token'],
    ...prefixed(encoderRows, 'encoder.', 'encoder.'),
    ['encoder_to_regresser.{wb}', 'encoder_to_decoder.{wb}'],
    ['encoder_to_regresser_norm.{wb}', 'encoder_to_decoder_norm.{wb}'],
    ...crossBlocks('regresser.regressor_blocks.{i}', 'pretext_neck.regressor_blocks.{i}'),
    ...decoderBlocks('decoder.decoder_blocks'),
    ['regresser.norm.{wb}', 'pretext_neck.norm.{wb}'],
    ['decoder.norm.{wb}', 'pretext_neck.norm2.{wb}'],
    ['decoder.head.{wb}', 'pretext_neck.head.{wb}'],
  ],
  mmpretrain: [
    ['neck.mask_token', 'mask_token'],
    ...prefixed(mmpretrainLayout, 'backbone.', 'encoder.'),
    ...mmpretrainCrossBlocks('neck.regressors.{i}', 'pretext_neck.regressor_blocks.{i}'),
    ...mmpretrainBlocks('neck.decoders.{i}', 'pretext_neck.decoder_blocks.{i}'),
    ['neck.norm_regressor.{wb}', 'pretext_neck.norm.{wb}'],
    ['neck.norm_decoder.{wb}', 'pretext_neck.norm2.{wb}'],
    ['neck.head.{wb}', 'pretext_neck.head.{wb}'],
  ],
}

/** Copies of the encoder and tables that are computed: stored by some, needed by nobody. */
const derived = /^(teacher|alignment_encoder|target_generator|data_preprocessor)\.|^rd_pos_embed$/

/** Which naming a whole model's tensors follow, or undefined where they are no whole model. */
export function caeNamingOf(names: Iterable<string>): CaeNaming | undefined {
  const all = [...names]
  const has = (prefix: string) => all.some((name) => name.startsWith(prefix))
  if (has('neck.regressors.') && has('backbone.')) return 'mmpretrain'
  if (!has('encoder.patch_embed.')) return undefined
  if (has('regresser.')) return 'B'
  return has('pretext_neck.') ? 'A' : undefined
}

/** Our name of a tensor, null for one that is derived from others, undefined for one that is not known. */
export function fromCaeNaming(naming: CaeNaming): (name: string) => string | null | undefined {
  const translate = translator(layouts[naming])
  return (name) => (derived.test(name) ? null : translate(name)?.name)
}

/** The name in another naming of a tensor that we call `name`, or undefined where it has none there. */
export function toCaeNaming(naming: CaeNaming): (name: string) => string | undefined {
  const translate = translator(inverted(layouts[naming]))
  return (name) => translate(name)?.name
}
