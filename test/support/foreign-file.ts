import { type VitConfig, vitFields } from '../../src/config/architecture.js'
import { resolveFields } from '../../src/config/resolve.js'
import { encoderTensors } from '../../src/import/encoder-tensors.js'
import type { Layout } from '../../src/import/layout.js'
import { writeSafetensors } from '../../src/io/safetensors.js'
import type { F32Tensor } from '../../src/native/types.js'
import { RngStream } from '../../src/rng.js'

/** The smallest encoder that can be resampled: a grid of 4 x 4. */
export function tinyVit(over: Partial<VitConfig> = {}): VitConfig {
  const small = { imageSize: 32, patchSize: 8, embedDim: 16, depth: 2, numHeads: 2, mlpRatio: 2, dropPath: 0, layerScaleInit: 0 }
  return resolveFields(vitFields, [{ values: { ...small, ...over } }]).values
}

/** Numbers for every tensor of an encoder, drawn from the seed. */
export function drawnTensors(config: VitConfig, seed = 1): Map<string, F32Tensor> {
  return new Map(
    [...encoderTensors(config)].map(([name, shape], index) => {
      const random = new RngStream({ seed, purpose: 'init', time: 0, index })
      const length = shape.reduce((product, size) => product * size, 1)
      return [name, { data: Float32Array.from({ length }, () => random.uniform() - 0.5), shape }]
    }),
  )
}

/** Writes tensors under the names that `layout` gives them, separate projections where it has some. */
export async function writeForeign(path: string, tensors: ReadonlyMap<string, F32Tensor>, layout: Layout, prefix = ''): Promise<void> {
  const entries = [...tensors].flatMap(([ours, { data, shape }]) => {
    const rows = layout.flatMap(([theirs, target, part]) => {
      const pattern = new RegExp(`^${target.replaceAll('.', '\\.').replace('{i}', '(?<i>\\d+)').replace('{wb}', '(?<wb>weight|bias)')}$`)
      const found = pattern.exec(ours)
      return found ? [{ name: theirs.replace(/\{(\w+)\}/g, (_, key: string) => found.groups?.[key] ?? ''), part }] : []
    })
    const [first] = rows
    if (!first) throw new Error(`the layout has no name for ${ours}`)
    if (!first.part) return [{ name: prefix + first.name, dtype: 'F32', data, shape } as const]
    const third = data.length / 3
    const thirdShape = [(shape[0] ?? 0) / 3, ...shape.slice(1)]
    return rows.map(({ name, part }) => {
      const at = 'qkv'.indexOf(part ?? '') * third
      return { name: prefix + name, dtype: 'F32', data: data.slice(at, at + third), shape: thirdShape } as const
    })
  })
  await writeSafetensors(path, entries)
}
