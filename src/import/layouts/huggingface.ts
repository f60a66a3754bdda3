import type { Layout } from '../layout.js'

/** What Hugging Face's ViT, ViTMAE, BEiT, Data2Vec and DINOv2 have in common (spec/baselines.md 8.3). */
const common: Layout = [
  ['embeddings.cls_token', 'cls_token'],
  ['embeddings.position_embeddings', 'pos_embed'],
  ['embeddings.patch_embeddings.projection.{wb}', 'patch_embed.proj.{wb}'],
  ['encoder.layer.{i}.attention.attention.query.weight', 'blocks.{i}.attn.qkv.weight', 'q'],
  ['encoder.layer.{i}.attention.attention.key.weight', 'blocks.{i}.attn.qkv.weight', 'k'],
  ['encoder.layer.{i}.attention.attention.value.weight', 'blocks.{i}.attn.qkv.weight', 'v'],
  ['encoder.layer.{i}.attention.output.dense.{wb}', 'blocks.{i}.attn.proj.{wb}'],
  ['layernorm.{wb}', 'norm.{wb}'],
]

const fusedBias: Layout = [
  ['encoder.layer.{i}.attention.attention.query.bias', 'blocks.{i}.attn.qkv.bias', 'q'],
  ['encoder.layer.{i}.attention.attention.key.bias', 'blocks.{i}.attn.qkv.bias', 'k'],
  ['encoder.layer.{i}.attention.attention.value.bias', 'blocks.{i}.attn.qkv.bias', 'v'],
]

const block: Layout = [
  ['encoder.layer.{i}.layernorm_before.{wb}', 'blocks.{i}.norm1.{wb}'],
  ['encoder.layer.{i}.layernorm_after.{wb}', 'blocks.{i}.norm2.{wb}'],
  ['encoder.layer.{i}.intermediate.dense.{wb}', 'blocks.{i}.mlp.fc1.{wb}'],
  ['encoder.layer.{i}.output.dense.{wb}', 'blocks.{i}.mlp.fc2.{wb}'],
]

/** ViT and ViTMAE. */
export const vitLayout: Layout = [...common, ...fusedBias, ...block]

/** BEiT and Data2Vec: keys have no bias. */
export const beitLayout: Layout = [
  ...common,
  ...block,
  ['encoder.layer.{i}.attention.attention.query.bias', 'blocks.{i}.attn.q_bias'],
  ['encoder.layer.{i}.attention.attention.value.bias', 'blocks.{i}.attn.v_bias'],
  ['encoder.layer.{i}.lambda_1', 'blocks.{i}.gamma_1'],
  ['encoder.layer.{i}.lambda_2', 'blocks.{i}.gamma_2'],
  ['encoder.relative_position_bias.relative_position_bias_table', 'rel_pos_bias.relative_position_bias_table'],
  [
    'encoder.layer.{i}.attention.attention.relative_position_bias.relative_position_bias_table',
    'blocks.{i}.attn.relative_position_bias_table',
  ],
  ['pooler.layernorm.{wb}', 'fc_norm.{wb}'],
]

/** DINOv2 (spec/baselines.md 8.5). */
export const dinov2Layout: Layout = [
  ...common,
  ...fusedBias,
  ['encoder.layer.{i}.norm1.{wb}', 'blocks.{i}.norm1.{wb}'],
  ['encoder.layer.{i}.norm2.{wb}', 'blocks.{i}.norm2.{wb}'],
  ['encoder.layer.{i}.layer_scale1.lambda1', 'blocks.{i}.gamma_1'],
  ['encoder.layer.{i}.layer_scale2.lambda1', 'blocks.{i}.gamma_2'],
  ['encoder.layer.{i}.mlp.fc1.{wb}', 'blocks.{i}.mlp.fc1.{wb}'],
  ['encoder.layer.{i}.mlp.fc2.{wb}', 'blocks.{i}.mlp.fc2.{wb}'],
]

/** ViT and ViTMAE under the names that transformers 5 uses in memory, which some exports have. */
export const vitMemoryLayout: Layout = [
  ['embeddings.cls_token', 'cls_token'],
  ['embeddings.position_embeddings', 'pos_embed'],
  ['embeddings.patch_embeddings.projection.{wb}', 'patch_embed.proj.{wb}'],
  ['layers.{i}.attention.q_proj.{wb}', 'blocks.{i}.attn.qkv.{wb}', 'q'],
  ['layers.{i}.attention.k_proj.{wb}', 'blocks.{i}.attn.qkv.{wb}', 'k'],
  ['layers.{i}.attention.v_proj.{wb}', 'blocks.{i}.attn.qkv.{wb}', 'v'],
  ['layers.{i}.attention.o_proj.{wb}', 'blocks.{i}.attn.proj.{wb}'],
  ['layers.{i}.layernorm_before.{wb}', 'blocks.{i}.norm1.{wb}'],
  ['layers.{i}.layernorm_after.{wb}', 'blocks.{i}.norm2.{wb}'],
  ['layers.{i}.mlp.fc1.{wb}', 'blocks.{i}.mlp.fc1.{wb}'],
  ['layers.{i}.mlp.fc2.{wb}', 'blocks.{i}.mlp.fc2.{wb}'],
  ['layernorm.{wb}', 'norm.{wb}'],
]
