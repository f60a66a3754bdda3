import { clipLayout, openaiLayout } from './layouts/clip.js'
import { beitLayout, dinov2Layout, vitLayout, vitMemoryLayout } from './layouts/huggingface.js'
import { mmpretrainLayout } from './layouts/mmpretrain.js'
import { timmLayout } from './layouts/timm.js'
import { clipColours, halves, imagenet, type Origin } from './origin.js'

const heads = /^(head|head_dist|fc|classifier|lm_head|decode_head|auxiliary_head|fpn\d|mask_token)(\.|$)/
const vit = { layout: timmLayout, unused: heads, colours: imagenet, layerNormEps: 1e-6, activation: 'gelu', positions: 'plain' } as const
const huggingface = { ...vit, origin: 'huggingface', colours: halves } as const
const huggingfaceUnused =
  /^(classifier|lm_head|decode_head|auxiliary_head|fpn\d|decoder)\.|(^|\.)(pooler\.dense\.(weight|bias)|embeddings\.mask_token)$/

/** CAE's small models have 12 heads, as its base model (spec/cae.md 1.10). */
const cae = { ...vit, origin: 'official', method: 'cae', positions: 'recomputed', heads: { 192: 12, 384: 12 } } as const
const caeUnused = /^(mask_token|rd_pos_embed)$|^(teacher|alignment_encoder|encoder_to_\w+|pretext_neck|regresser|decoder)\./

const patches = /^patch_embed\.proj\.weight$/
const classHead = /^head\./
const keyBias = /^blocks\.0\.attn\.qkv\.bias$/
const queryBias = /^blocks\.0\.attn\.q_bias$/
const ownTable = /^blocks\.0\.attn\.relative_position_bias_table$/
const positionTable = /^pos_embed$/

/** All kinds of checkpoints that are known, the most telling first: the first whose tensors are there is taken. */
export const origins: readonly Origin[] = [
  {
    ...cae,
    title: 'CAE, whole model',
    has: [/^encoder\.patch_embed\.proj\.weight$/, /^(pretext_neck|regresser)\./],
    prefixes: ['encoder.'],
    unused: caeUnused,
  },
  {
    ...cae,
    title: 'CAE, encoder',
    has: [/^encoder\.patch_embed\.proj\.weight$/, /^encoder\.blocks\.0\.attn\.q_bias$/],
    prefixes: ['encoder.'],
    unused: caeUnused,
  },
  {
    ...cae,
    origin: 'mmpretrain',
    title: 'CAE of mmpretrain',
    has: [/^backbone\.patch_embed\.projection\.weight$/, /^backbone\.layers\.0\.attn\.q_bias$/],
    prefixes: ['backbone.'],
    layout: mmpretrainLayout,
    unused: /^(neck|head|teacher|target_generator|data_preprocessor)\./,
  },
  {
    ...vit,
    origin: 'mmpretrain',
    method: 'not known',
    title: 'ViT of mmpretrain',
    has: [/^backbone\.patch_embed\.projection\.weight$/, /^backbone\.layers\.0\.attn\.qkv\.bias$/],
    prefixes: ['backbone.'],
    layout: mmpretrainLayout,
    unused: /^(neck|head|target_generator|data_preprocessor)\./,
  },
  {
    ...vit,
    origin: 'official',
    method: 'mocov3',
    title: 'MoCo v3, training checkpoint',
    has: [/^base_encoder\.patch_embed\.proj\.weight$/],
    prefixes: ['base_encoder.'],
    unused: /^(momentum_encoder|predictor)\.|^base_encoder\.head\./,
    heads: { 384: 12 },
  },
  {
    ...vit,
    origin: 'official',
    method: 'dino',
    title: "DINO, training checkpoint: the teacher's encoder",
    has: [/^backbone\.patch_embed\.proj\.weight$/],
    prefixes: ['backbone.'],
    positions: 'dino',
  },
  {
    ...vit,
    origin: 'huggingface',
    method: 'clip',
    title: "CLIP's vision tower, Hugging Face",
    has: [/^(vision_model\.)?embeddings\.class_embedding$/],
    prefixes: ['vision_model.', ''],
    layout: clipLayout,
    projection: { name: 'visual_projection.weight', isTransposed: false },
    unused: /^text_model\.|^(text_projection|visual_projection|classifier)\.|^logit_scale$/,
    colours: clipColours,
    layerNormEps: 1e-5,
    activation: 'quick-gelu',
  },
  {
    ...vit,
    origin: 'openai',
    method: 'clip',
    title: "CLIP's vision tower, OpenAI's names",
    has: [/^visual\.class_embedding$/, /^visual\.conv1\.weight$/],
    prefixes: ['visual.'],
    layout: openaiLayout,
    projection: { name: 'visual.proj', isTransposed: true },
    unused: /^visual\.proj$|^(transformer|token_embedding|ln_final)\.|^(positional_embedding|text_projection|logit_scale)$/,
    colours: clipColours,
    layerNormEps: 1e-5,
    activation: 'quick-gelu',
  },
  {
    ...huggingface,
    method: 'dinov2',
    title: 'DINOv2, Hugging Face',
    has: [/embeddings\.patch_embeddings\.projection\.weight$/, /layer\.0\.layer_scale1\.lambda1$/],
    prefixes: ['dinov2.', ''],
    layout: dinov2Layout,
    unused: huggingfaceUnused,
    colours: imagenet,
  },
  {
    ...huggingface,
    method: 'data2vec',
    title: 'Data2Vec, Hugging Face',
    has: [/^data2vec_vision\.embeddings\.patch_embeddings\.projection\.weight$/],
    prefixes: ['data2vec_vision.', ''],
    layout: beitLayout,
    mayLackNorm: true,
    unused: huggingfaceUnused,
    layerNormEps: 1e-12,
  },
  {
    ...huggingface,
    method: 'beit',
    title: 'BEiT (or Data2Vec), Hugging Face',
    has: [/embeddings\.patch_embeddings\.projection\.weight$/, /\.(lambda_1|relative_position_bias_table)$/],
    prefixes: ['beit.', ''],
    layout: beitLayout,
    mayLackNorm: true,
    unused: huggingfaceUnused,
    layerNormEps: 1e-12,
  },
  {
    ...huggingface,
    method: 'mae',
    title: 'MAE, Hugging Face',
    has: [/embeddings\.patch_embeddings\.projection\.weight$/, /^decoder\.decoder_pred\./],
    prefixes: ['vit.', ''],
    layout: vitLayout,
    unused: huggingfaceUnused,
    colours: imagenet,
    layerNormEps: 1e-12,
  },
  {
    ...huggingface,
    method: 'not known',
    title: 'ViT, Hugging Face',
    has: [/embeddings\.patch_embeddings\.projection\.weight$/, /encoder\.layer\.0\.attention\.attention\.query\.weight$/],
    prefixes: ['vit.', ''],
    layout: vitLayout,
    unused: huggingfaceUnused,
    layerNormEps: 1e-12,
  },
  {
    ...huggingface,
    method: 'not known',
    title: 'ViT, Hugging Face, names of transformers 5 in memory',
    has: [/embeddings\.patch_embeddings\.projection\.weight$/, /layers\.0\.attention\.q_proj\.weight$/],
    prefixes: ['vit.', ''],
    layout: vitMemoryLayout,
    unused: huggingfaceUnused,
    layerNormEps: 1e-12,
  },
  {
    ...vit,
    origin: 'official',
    method: 'mae',
    title: 'MAE, training checkpoint',
    has: [patches, /^decoder_pred\./],
    unused: /^(decoder_\w+|mask_token)(\.|$)/,
  },
  {
    ...vit,
    origin: 'official',
    method: 'beit',
    title: 'BEiT, pre-trained',
    has: [patches, /^rel_pos_bias\.relative_position_bias_table$/],
    colours: halves,
  },
  {
    ...vit,
    origin: 'official',
    method: 'beit',
    title: 'BEiT, fine-tuned',
    has: [patches, ownTable],
    lacks: [positionTable],
    colours: halves,
  },
  // CAE keeps its fixed positions beside the relative ones; BEiT has none by default.
  { ...cae, title: 'CAE, fine-tuned (or BEiT with absolute positions)', has: [patches, ownTable, positionTable], positions: 'plain' },
  { ...cae, title: 'CAE, encoder', has: [patches, queryBias, positionTable] },
  {
    ...vit,
    origin: 'timm',
    method: 'clip',
    title: "CLIP's vision tower, timm",
    has: [patches, keyBias, /^norm_pre\./],
    positions: 'antialiased',
    colours: clipColours,
    layerNormEps: 1e-5, // activations are GELU there, but for models with `quickgelu` in their names
  },
  {
    ...vit,
    origin: 'official',
    method: 'mean-pooled',
    title: 'ViT with mean pooling, as MAE is fine-tuned',
    has: [patches, keyBias, /^fc_norm\./],
    isWrapped: true,
  },
  {
    ...vit,
    origin: 'timm',
    method: 'mean-pooled',
    title: 'ViT with mean pooling, timm',
    has: [patches, keyBias, /^fc_norm\./],
    positions: 'antialiased',
  },
  { ...vit, origin: 'official', method: 'supervised', title: 'DeiT', has: [patches, keyBias, classHead], isWrapped: true },
  { ...vit, origin: 'timm', method: 'not known', title: 'ViT, timm', has: [patches, keyBias, classHead], positions: 'antialiased' },
  { ...vit, origin: 'official', method: 'mae', title: 'MAE, encoder', has: [patches, keyBias], isWrapped: true },
  { ...vit, origin: 'official', method: 'dino', title: "DINO's encoder", has: [patches, keyBias], positions: 'dino' },
]

const forTokens = 'Tokenizer.load, or `--tokenizer` of a run'

/** What a file is instead, where it is often taken for an encoder. */
export const strangers: readonly { readonly has: RegExp; readonly what: string; readonly todo?: string }[] = [
  { has: /dist_token$|distillation_token$/, what: 'a distilled ViT: its second class token has no place here' },
  { has: /register_tokens?$|reg_token$/, what: 'a ViT with register tokens, which have no place here' },
  { has: /(^|\.)layers\.0\.blocks\.0\./, what: 'a Swin transformer' },
  { has: /(^|\.)blocks\.group_1\.block_1\.res_path\./, what: 'the discrete VAE of a tokenizer', todo: forTokens },
  { has: /^codebook\.weight$/, what: 'the light discrete VAE of a tokenizer', todo: forTokens },
  { has: /(^|\.)layer1\.0\.conv1\.weight$/, what: 'a residual convolutional network' },
  { has: /(^|\.)lin0\.model\.\d\.weight$/, what: "the linear layers of LPIPS, a measure of images' likeness" },
]
