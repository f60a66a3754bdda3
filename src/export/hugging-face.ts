import { join } from 'node:path'
import type { VitConfig } from '../config/architecture.js'
import { optionError } from '../config/resolve.js'
import { writeFileAtomic } from '../io/atomic-write.js'
import { writeSafetensors } from '../io/safetensors.js'
import { assertPlain, type EncoderFormat, type EncoderWeights, type LazyTensor, lazyEntries, thirds } from './encoder-weights.js'
import { modelCard } from './model-card.js'

/**
 * A folder for `transformers`, as the class that represents the encoder exactly: `BeitModel` (query and value biases without a key bias,
 * LayerScale, fixed positions as stored ones, no relative bias), or `ViTModel` where keys have a bias. With `config.json`,
 * `preprocessor_config.json`, `model.safetensors` and a model card.
 */
export const huggingFace: EncoderFormat = {
  check(encoder) {
    assertPlain(encoder, 'huggingface')
    if (!encoder.config.keyBias || encoder.config.layerScaleInit === 0) return
    throw optionError({ what: "format 'huggingface' has no class with both a key bias and LayerScale", todo: "format: 'timm' or 'onnx'" })
  },
  async write(encoder, folder) {
    await writeSafetensors(join(folder, 'model.safetensors'), lazyEntries(huggingFaceTensors(encoder)))
    const texts = {
      'config.json': json(modelConfig(encoder.config)),
      'preprocessor_config.json': json(preprocessorConfig(encoder.config)),
      'README.md': modelCard(encoder.config),
    }
    for (const [name, text] of Object.entries(texts)) await writeFileAtomic(join(folder, name), text)
    return ['model.safetensors', ...Object.keys(texts)]
  },
}

/** Tail of a name within a block, here and there; the joined projection is cut apart beside. */
const blockNames: readonly (readonly [RegExp, string])[] = [
  [/^norm1\./, 'layernorm_before.'],
  [/^norm2\./, 'layernorm_after.'],
  [/^attn\.proj\./, 'attention.output.dense.'],
  [/^attn\.q_bias$/, 'attention.attention.query.bias'],
  [/^attn\.v_bias$/, 'attention.attention.value.bias'],
  [/^mlp\.fc1\./, 'intermediate.dense.'],
  [/^mlp\.fc2\./, 'output.dense.'],
  [/^gamma_([12])$/, 'lambda_$1'],
]

const outerNames: readonly (readonly [RegExp, string])[] = [
  [/^cls_token$/, 'embeddings.cls_token'],
  [/^pos_embed$/, 'embeddings.position_embeddings'],
  [/^patch_embed\.proj\./, 'embeddings.patch_embeddings.projection.'],
  [/^norm\./, 'layernorm.'],
]

/** The tensors under the names of a Hugging Face BEiT file (spec/baselines.md 8.3). */
function huggingFaceTensors(encoder: EncoderWeights): Map<string, LazyTensor> {
  const renamed = new Map<string, LazyTensor>()
  for (const [name, tensor] of encoder.tensors) {
    const [, block, tail] = /^blocks\.(\d+)\.(.*)$/.exec(name) ?? []
    if (block === undefined || tail === undefined) {
      renamed.set(rename(name, outerNames), tensor)
    } else if (tail.startsWith('attn.qkv.')) {
      for (const [at, part] of thirds(tensor).entries()) {
        renamed.set(`encoder.layer.${block}.attention.attention.${['query', 'key', 'value'][at]}.${tail.slice('attn.qkv.'.length)}`, part)
      }
    } else {
      renamed.set(`encoder.layer.${block}.${rename(tail, blockNames)}`, tensor)
    }
  }
  return renamed
}

function rename(name: string, table: readonly (readonly [RegExp, string])[]): string {
  const row = table.find(([from]) => from.test(name))
  if (!row) throw new TypeError(`no Hugging Face name for ${name}`)
  return name.replace(...(row as [RegExp, string]))
}

function modelConfig({ imageSize, patchSize, embedDim, depth, numHeads, mlpRatio, layerNormEps, layerScaleInit, keyBias }: VitConfig) {
  return {
    ...(keyBias
      ? { architectures: ['ViTModel'], model_type: 'vit', qkv_bias: true }
      : {
          architectures: ['BeitModel'],
          model_type: 'beit',
          layer_scale_init_value: layerScaleInit,
          use_absolute_position_embeddings: true,
          use_relative_position_bias: false,
          use_shared_relative_position_bias: false,
          use_mask_token: false,
          use_mean_pooling: false,
          drop_path_rate: 0,
        }),
    image_size: imageSize[0] === imageSize[1] ? imageSize[0] : imageSize,
    patch_size: patchSize,
    num_channels: 3,
    hidden_size: embedDim,
    num_hidden_layers: depth,
    num_attention_heads: numHeads,
    intermediate_size: Math.round(embedDim * mlpRatio),
    hidden_act: 'gelu',
    layer_norm_eps: layerNormEps,
    attention_probs_dropout_prob: 0,
    hidden_dropout_prob: 0,
    torch_dtype: 'float32',
  }
}

/** How a picture becomes the encoder's input: bicubic to its size, from 0 to 1, then normalised. Shared by every format that takes normalised pixels. */
export function preprocessorConfig({ imageSize: [height, width], mean, std, keyBias }: VitConfig) {
  return {
    image_processor_type: keyBias ? 'ViTImageProcessor' : 'BeitImageProcessor',
    do_resize: true,
    size: { height, width },
    resample: 3,
    do_center_crop: false,
    crop_size: { height, width },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
    do_reduce_labels: false,
  }
}

/** Indented JSON with a last line end. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
