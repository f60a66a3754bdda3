import type { Layout } from '../layout.js'

/**
 * timm's names, which MAE, BEiT, DINO, MoCo v3, DeiT and the encoder of CAE share with it, with the parts that only some of them have
 * (spec/baselines.md 8, 8.2).
 */
export const timmLayout: Layout = [
  ['cls_token', 'cls_token'],
  ['pos_embed', 'pos_embed'],
  ['patch_embed.proj.{wb}', 'patch_embed.proj.{wb}'],
  ['norm_pre.{wb}', 'norm_pre.{wb}'],
  ['rel_pos_bias.relative_position_bias_table', 'rel_pos_bias.relative_position_bias_table'],
  ['blocks.{i}.gamma_1', 'blocks.{i}.gamma_1'],
  ['blocks.{i}.gamma_2', 'blocks.{i}.gamma_2'],
  ['blocks.{i}.ls1.gamma', 'blocks.{i}.gamma_1'],
  ['blocks.{i}.ls2.gamma', 'blocks.{i}.gamma_2'],
  ['blocks.{i}.norm1.{wb}', 'blocks.{i}.norm1.{wb}'],
  ['blocks.{i}.attn.q_bias', 'blocks.{i}.attn.q_bias'],
  ['blocks.{i}.attn.v_bias', 'blocks.{i}.attn.v_bias'],
  ['blocks.{i}.attn.qkv.{wb}', 'blocks.{i}.attn.qkv.{wb}'],
  ['blocks.{i}.attn.relative_position_bias_table', 'blocks.{i}.attn.relative_position_bias_table'],
  ['blocks.{i}.attn.proj.{wb}', 'blocks.{i}.attn.proj.{wb}'],
  ['blocks.{i}.norm2.{wb}', 'blocks.{i}.norm2.{wb}'],
  ['blocks.{i}.mlp.fc1.{wb}', 'blocks.{i}.mlp.fc1.{wb}'],
  ['blocks.{i}.mlp.fc2.{wb}', 'blocks.{i}.mlp.fc2.{wb}'],
  ['norm.{wb}', 'norm.{wb}'],
  ['fc_norm.{wb}', 'fc_norm.{wb}'],
]
