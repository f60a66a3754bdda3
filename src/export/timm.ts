import { join } from 'node:path'
import { optionError } from '../config/resolve.js'
import { writeFileAtomic } from '../io/atomic-write.js'
import { writeSafetensors } from '../io/safetensors.js'
import { assertPlain, type EncoderFormat, type EncoderWeights, type LazyTensor, lazyEntries, withJoinedBiases } from './encoder-weights.js'

/** Epsilon of a timm VisionTransformer's norms, which its configuration file cannot change. */
const timmEps = 1e-6

/**
 * A folder that `timm.create_model('local-dir:FOLDER')` makes a VisionTransformer of: `model.safetensors` under timm's names (spec/cae.md 1.11)
 * and `config.json`.
 */
export const timm: EncoderFormat = {
  check(encoder) {
    assertPlain(encoder, 'timm')
    const { layerNormEps } = encoder.config
    if (layerNormEps === timmEps) return
    throw optionError({
      what: `layerNormEps is ${layerNormEps}, a timm VisionTransformer has ${timmEps}`,
      todo: "format: 'huggingface' or 'onnx', which keep it",
    })
  },
  async write(encoder, folder) {
    await writeSafetensors(join(folder, 'model.safetensors'), lazyEntries(timmTensors(encoder)))
    await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(timmConfig(encoder), null, 2)}\n`)
    return ['model.safetensors', 'config.json']
  },
}

/** The tensors under timm's names. */
function timmTensors(encoder: EncoderWeights): Map<string, LazyTensor> {
  return new Map([...withJoinedBiases(encoder)].map(([name, tensor]) => [name.replace(/\.gamma_([12])$/, '.ls$1.gamma'), tensor]))
}

function timmConfig({ config }: EncoderWeights) {
  const { imageSize, patchSize, embedDim, depth, numHeads, mlpRatio, layerScaleInit, mean, std } = config
  return {
    architecture: 'vit_base_patch16_224',
    num_classes: 0,
    num_features: embedDim,
    global_pool: 'token',
    model_args: {
      img_size: imageSize,
      patch_size: patchSize,
      embed_dim: embedDim,
      depth,
      num_heads: numHeads,
      mlp_ratio: mlpRatio,
      init_values: layerScaleInit === 0 ? null : layerScaleInit,
    },
    pretrained_cfg: {
      input_size: [3, ...imageSize],
      fixed_input_size: true,
      interpolation: 'bicubic',
      crop_pct: 1,
      mean,
      std,
      num_classes: 0,
      pool_size: null,
      first_conv: 'patch_embed.proj',
      classifier: 'head',
    },
  }
}
