import type { Layout } from '../layout.js'

/** CLIP's vision tower as Hugging Face writes it; the spelling of `pre_layrnorm` is theirs (spec/baselines.md 8.5). */
export const clipLayout: Layout = [
  ['embeddings.class_embedding', 'cls_token'],
  ['embeddings.position_embedding.weight', 'pos_embed'],
  ['embeddings.patch_embedding.weight', 'patch_embed.proj.weight'],
  ['pre_layrnorm.{wb}', 'norm_pre.{wb}'],
  ['encoder.layers.{i}.layer_norm1.{wb}', 'blocks.{i}.norm1.{wb}'],
  ['encoder.layers.{i}.self_attn.q_proj.{wb}', 'blocks.{i}.attn.qkv.{wb}', 'q'],
  ['encoder.layers.{i}.self_attn.k_proj.{wb}', 'blocks.{i}.attn.qkv.{wb}', 'k'],
  ['encoder.layers.{i}.self_attn.v_proj.{wb}', 'blocks.{i}.attn.qkv.{wb}', 'v'],
  ['encoder.layers.{i}.self_attn.out_proj.{wb}', 'blocks.{i}.attn.proj.{wb}'],
  ['encoder.layers.{i}.layer_norm2.{wb}', 'blocks.{i}.norm2.{wb}'],
  ['encoder.layers.{i}.mlp.fc1.{wb}', 'blocks.{i}.mlp.fc1.{wb}'],
  ['encoder.layers.{i}.mlp.fc2.{wb}', 'blocks.{i}.mlp.fc2.{wb}'],
  ['post_layernorm.{wb}', 'norm.{wb}'],
]

/** The same tower under OpenAI's own names. */
export const openaiLayout: Layout = [
  ['class_embedding', 'cls_token'],
  ['positional_embedding', 'pos_embed'],
  ['conv1.weight', 'patch_embed.proj.weight'],
  ['ln_pre.{wb}', 'norm_pre.{wb}'],
  ['transformer.resblocks.{i}.ln_1.{wb}', 'blocks.{i}.norm1.{wb}'],
  ['transformer.resblocks.{i}.attn.in_proj_{wb}', 'blocks.{i}.attn.qkv.{wb}'],
  ['transformer.resblocks.{i}.attn.out_proj.{wb}', 'blocks.{i}.attn.proj.{wb}'],
  ['transformer.resblocks.{i}.ln_2.{wb}', 'blocks.{i}.norm2.{wb}'],
  ['transformer.resblocks.{i}.mlp.c_fc.{wb}', 'blocks.{i}.mlp.fc1.{wb}'],
  ['transformer.resblocks.{i}.mlp.c_proj.{wb}', 'blocks.{i}.mlp.fc2.{wb}'],
  ['ln_post.{wb}', 'norm.{wb}'],
]
