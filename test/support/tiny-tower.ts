import type { VitConfig } from '../../src/config/architecture.js'
import { clipLayout, openaiLayout } from '../../src/import/layouts/clip.js'
import { openSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import type { F32Tensor } from '../../src/native/types.js'
import { RngStream } from '../../src/rng.js'
import { drawnTensors, tinyVit, writeForeign } from './foreign-file.js'

/** Channels of the tiny tower's projection. */
export const towerOutputs = 6

/** CLIP's vision tower at its smallest: 24 px in patches of 6, as many as the tiny model has. One head, as tensors do not tell. */
export const tinyClip = tinyVit({
  imageSize: [24, 24],
  patchSize: 6,
  embedDim: 64,
  numHeads: 1,
  keyBias: true,
  inputNorm: true,
  patchBias: false,
  activation: 'quick-gelu',
  layerNormEps: 1e-5,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} satisfies Partial<VitConfig>)

/** The projection's weight, outputs first. */
export function drawnProjection(seed = 1): F32Tensor {
  const random = new RngStream({ seed, purpose: 'init', time: 1, index: 0 })
  const data = Float32Array.from({ length: towerOutputs * tinyClip.embedDim }, () => random.uniform() - 0.5)
  return { data, shape: [towerOutputs, tinyClip.embedDim] }
}

/** Writes the tower with numbers drawn from `seed`, as Hugging Face or OpenAI would. */
export async function writeTower(path: string, { seed = 1, names = 'huggingface' as 'huggingface' | 'openai' } = {}): Promise<void> {
  const isOpenai = names === 'openai'
  await writeForeign(path, drawnTensors(tinyClip, seed), isOpenai ? openaiLayout : clipLayout, isOpenai ? 'visual.' : 'vision_model.')
  await using file = await openSafetensors(path)
  const entries = await Promise.all(
    [...file.tensors.values()].map(async ({ name, shape }) => ({
      name,
      dtype: 'F32' as const,
      shape,
      data: (await file.readFloat32(name)).data,
    })),
  )
  const { data, shape } = drawnProjection(seed)
  const [outputs = 0, inputs = 0] = shape
  const across = Float32Array.from(data, (_, at) => data[(at % outputs) * inputs + Math.floor(at / outputs)] ?? 0)
  const projection = isOpenai
    ? { name: 'visual.proj', dtype: 'F32' as const, data: across, shape: [inputs, outputs] }
    : { name: 'visual_projection.weight', dtype: 'F32' as const, data, shape }
  await writeSafetensors(path, [...entries, projection])
}
