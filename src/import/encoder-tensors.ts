import type { VitConfig } from '../config/architecture.js'
import { patchGrid } from '../config/model.js'

/** Rows of a relative position table: one an offset of two patches, and three of the class token. */
export function relativeRows([rows, cols]: readonly [number, number]): number {
  return (2 * rows - 1) * (2 * cols - 1) + 3
}

/** Every tensor that an encoder has, with its shape; the native side makes the same (native/model/encoder.h). */
export function encoderTensors(config: VitConfig): Map<string, readonly number[]> {
  const { embedDim: dim, patchSize, numHeads, keyBias, relativePositions, layerScaleInit } = config
  const { gridHeight, gridWidth } = patchGrid(config)
  const hidden = Math.round(dim * config.mlpRatio)
  const table = [relativeRows([gridHeight, gridWidth]), numHeads]
  const norm = (name: string): [string, number[]][] => [
    [`${name}.weight`, [dim]],
    [`${name}.bias`, [dim]],
  ]
  const linear = (name: string, out: number, from: number): [string, number[]][] => [
    [`${name}.weight`, [out, from]],
    [`${name}.bias`, [out]],
  ]
  const block = (name: string): [string, number[]][] => [
    ...(layerScaleInit === 0 ? [] : [1, 2].map((half): [string, number[]] => [`${name}.gamma_${half}`, [dim]])),
    ...norm(`${name}.norm1`),
    [`${name}.attn.qkv.weight`, [3 * dim, dim]],
    ...(keyBias ? ['qkv.bias'] : ['q_bias', 'v_bias']).map((bias): [string, number[]] => [
      `${name}.attn.${bias}`,
      [keyBias ? 3 * dim : dim],
    ]),
    ...(relativePositions === 'per-block' ? [[`${name}.attn.relative_position_bias_table`, table] as [string, number[]]] : []),
    ...linear(`${name}.attn.proj`, dim, dim),
    ...norm(`${name}.norm2`),
    ...linear(`${name}.mlp.fc1`, hidden, dim),
    ...linear(`${name}.mlp.fc2`, dim, hidden),
  ]
  return new Map<string, readonly number[]>([
    ['cls_token', [1, 1, dim]],
    ...(config.positions === 'none' ? [] : [['pos_embed', [1, 1 + gridHeight * gridWidth, dim]] as const]),
    ['patch_embed.proj.weight', [dim, 3, patchSize, patchSize]],
    ...(config.patchBias ? [['patch_embed.proj.bias', [dim]] as const] : []),
    ...(config.inputNorm ? norm('norm_pre') : []),
    ...(relativePositions === 'shared' ? [['rel_pos_bias.relative_position_bias_table', table] as const] : []),
    ...Array.from({ length: config.depth }, (_, i) => block(`blocks.${i}`)).flat(),
    ...(config.outputNorm === 'tokens' ? norm('norm') : []),
    ...(config.outputNorm === 'mean' ? norm('fc_norm') : []),
  ])
}
