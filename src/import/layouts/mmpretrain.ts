import type { Layout } from '../layout.js'

/** A block as mmpretrain writes it: `layers.{i}` of a backbone, `decoders.{i}` of the neck of CAE (spec/cae.md 1.11). */
export function mmpretrainBlocks(theirs: string, ours: string): Layout {
  return [
    [`${theirs}.gamma_1`, `${ours}.gamma_1`],
    [`${theirs}.gamma_2`, `${ours}.gamma_2`],
    [`${theirs}.ln1.{wb}`, `${ours}.norm1.{wb}`],
    [`${theirs}.attn.q_bias`, `${ours}.attn.q_bias`],
    [`${theirs}.attn.v_bias`, `${ours}.attn.v_bias`],
    [`${theirs}.attn.qkv.{wb}`, `${ours}.attn.qkv.{wb}`],
    [`${theirs}.attn.proj.{wb}`, `${ours}.attn.proj.{wb}`],
    [`${theirs}.ln2.{wb}`, `${ours}.norm2.{wb}`],
    [`${theirs}.ffn.layers.0.0.{wb}`, `${ours}.mlp.fc1.{wb}`],
    [`${theirs}.ffn.layers.1.{wb}`, `${ours}.mlp.fc2.{wb}`],
  ]
}

/** A backbone of mmpretrain, without `backbone.`: CAE's, and its plain ViT. */
export const mmpretrainLayout: Layout = [
  ['cls_token', 'cls_token'],
  ['pos_embed', 'pos_embed'],
  ['patch_embed.projection.{wb}', 'patch_embed.proj.{wb}'],
  ...mmpretrainBlocks('layers.{i}', 'blocks.{i}'),
  ['ln1.{wb}', 'norm.{wb}'],
]
