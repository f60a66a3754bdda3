import { join } from 'node:path'

import type { VitConfig } from '../../src/config/architecture.js'
import { type ImportInput, importFields } from '../../src/config/import.js'
import { resolveFields } from '../../src/config/resolve.js'
import type { Layout } from '../../src/import/layout.js'
import { clipLayout, openaiLayout } from '../../src/import/layouts/clip.js'
import { beitLayout, dinov2Layout, vitLayout, vitMemoryLayout } from '../../src/import/layouts/huggingface.js'
import { mmpretrainLayout } from '../../src/import/layouts/mmpretrain.js'
import { timmLayout } from '../../src/import/layouts/timm.js'
import { openEncoderFile } from '../../src/import/open-encoder.js'
import { openSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import { drawnTensors, tinyVit, writeForeign } from '../support/foreign-file.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const given = (values: ImportInput = { numHeads: 2 }) => resolveFields(importFields, [{ values }]).values

const clip = { inputNorm: true, patchBias: false, activation: 'quick-gelu', layerNormEps: 1e-5 } as const
const beit = { keyBias: false, positions: 'none', layerScaleInit: 0.1 } as const
const kinds: readonly [what: string, layout: Layout, prefix: string, config: Partial<VitConfig>, title: RegExp][] = [
  ['CLIP of OpenAI', openaiLayout, 'visual.', clip, /CLIP.*OpenAI/],
  ['CLIP of Hugging Face', clipLayout, 'vision_model.', clip, /CLIP.*Hugging Face/],
  ['ViT of Hugging Face', vitLayout, '', {}, /^ViT, Hugging Face$/],
  ['ViT of transformers 5 in memory', vitMemoryLayout, 'vit.', {}, /transformers 5/],
  ['DINOv2', dinov2Layout, 'dinov2.', { layerScaleInit: 0.1 }, /DINOv2/],
  ['BEiT', beitLayout, 'beit.', { ...beit, relativePositions: 'per-block', outputNorm: 'mean' }, /BEiT/],
  ['BEiT with one table', beitLayout, 'beit.', { ...beit, relativePositions: 'shared' }, /BEiT/],
  ['Data2Vec', beitLayout, 'data2vec_vision.', { ...beit, relativePositions: 'per-block', outputNorm: 'none' }, /Data2Vec/],
  ['ViT of mmpretrain', mmpretrainLayout, 'backbone.', {}, /mmpretrain/],
  [
    'CAE of mmpretrain',
    mmpretrainLayout,
    'backbone.',
    { keyBias: false, positions: 'reference', layerScaleInit: 0.1 },
    /CAE of mmpretrain/,
  ],
  ['MoCo v3', timmLayout, 'module.base_encoder.', {}, /MoCo v3/],
  ['DINO', timmLayout, 'teacher.backbone.', {}, /DINO, training/],
  ['MAE', timmLayout, 'model.', {}, /MAE, encoder/],
  ['BEiT of its authors', timmLayout, 'model.', { ...beit, relativePositions: 'shared' }, /BEiT, pre-trained/],
  [
    'CAE, fine-tuned',
    timmLayout,
    'model.',
    { ...beit, positions: 'learned', relativePositions: 'per-block', outputNorm: 'mean' },
    /CAE, fine-tuned/,
  ],
  ['CAE’s encoder', timmLayout, 'model.encoder.', { keyBias: false, positions: 'reference', layerScaleInit: 0.1 }, /CAE, encoder/],
]

test.each(kinds)('%s: every number arrives in its place', async (_, layout, prefix, over, title) => {
  const config = tinyVit(over)
  const tensors = drawnTensors(config)
  const path = join(folder(), 'weights.safetensors')
  await writeForeign(path, tensors, layout, prefix)
  await using file = await openEncoderFile(path, given())
  expect(file.origin.title).toMatch(title)
  const { mean: _mean, std: _std, layerNormEps: _eps, ...rest } = config
  expect(file.config).toMatchObject(rest)
  expect(file.report.matched.map(({ name }) => name).sort()).toEqual([...tensors.keys()].sort())
  for (const matched of file.report.matched) expect(await file.read(matched)).toEqual(tensors.get(matched.name))
})

describe('a file that is not whole, or more', () => {
  async function written(change: (tensors: ReturnType<typeof drawnTensors>) => void): Promise<string> {
    const tensors = drawnTensors(tinyVit())
    change(tensors)
    const path = join(folder(), 'weights.safetensors')
    await writeSafetensors(
      path,
      [...tensors].map(([name, { data, shape }]) => ({ name, dtype: 'F32', data, shape })),
    )
    return path
  }
  const number = { data: new Float32Array(1), shape: [1] }

  test.each<[string, (tensors: ReturnType<typeof drawnTensors>) => void, RegExp]>([
    ['lacks tensors', (t) => t.delete('blocks.1.norm1.weight') && t.delete('norm.bias'), /has no blocks\.1\.norm1\.weight, norm\.bias/],
    ['has misshapen ones', (t) => t.set('norm.bias', number), /norm\.bias has the shape \[1\], wanted is \[16\]/],
    ['has unknown ones', (t) => t.set('blocks.0.attn.q_norm.weight', number), /nothing is known about the file's blocks\.0\.attn\.q_norm/],
    ['has a second class token', (t) => t.set('dist_token', number), /distilled/],
    ['has registers', (t) => t.set('reg_token', number), /register/],
    ['lacks a block', (t) => [...t.keys()].filter((n) => n.startsWith('blocks.0.norm')).map((n) => t.delete(n)), /has no blocks\.0\.norm1/],
  ])('%s: refused whole', async (_, change, what) => {
    const path = await written(change)
    await expect(openEncoderFile(path, given())).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(what) })
  })

  test('unknown tensors are left aside when asked, and told', async () => {
    const path = await written((tensors) => tensors.set('blocks.0.attn.q_norm.weight', number))
    await using file = await openEncoderFile(path, given({ numHeads: 2, strict: false }))
    expect(file.report.unexpected).toEqual(['blocks.0.attn.q_norm.weight'])
  })
})

describe('another size', () => {
  async function encoder(over: Partial<VitConfig>, prefix = 'model.'): Promise<string> {
    const path = join(folder(), 'weights.safetensors')
    await writeForeign(path, drawnTensors(tinyVit(over)), timmLayout, prefix)
    return path
  }

  test('resamples positions and patches', async () => {
    await using file = await openEncoderFile(await encoder({}), given({ numHeads: 2, imageSize: [24, 40], patchSize: 4 }))
    expect(file.report.reshaped).toEqual([
      { name: 'patch_embed.proj.weight', from: [16, 3, 8, 8], to: [16, 3, 4, 4] },
      { name: 'pos_embed', from: [1, 17, 16], to: [1, 61, 16] },
    ])
    for (const { name, to } of file.report.reshaped) {
      const matched = file.report.matched.find((entry) => entry.name === name)
      if (matched) expect((await file.read(matched)).shape).toEqual(to)
    }
  })

  test('resamples relative positions, of square images alone', async () => {
    const path = await encoder({ ...beit, relativePositions: 'per-block' })
    await using file = await openEncoderFile(path, given({ imageSize: 48 }))
    expect(file.report.reshaped.map(({ to }) => to)).toEqual([
      [124, 2],
      [124, 2],
    ])
    await expect(openEncoderFile(path, given({ imageSize: [32, 48] }))).rejects.toMatchObject({ code: 'ERR_CAE_OPTION' })
  })

  test('positions that are a formula are not taken from the file', async () => {
    const path = await encoder({ keyBias: false, positions: 'reference', layerScaleInit: 0.1 }, 'model.encoder.')
    await using file = await openEncoderFile(path, given({ numHeads: 2, imageSize: 48 }))
    expect(file.report.matched.map(({ name }) => name)).not.toContain('pos_embed')
    expect(file.report).toMatchObject({ reshaped: [], missing: [] })
  })

  test('what a file of ours says about itself is not for options to change', async () => {
    const config = tinyVit()
    const path = await encoder({}, 'encoder.')
    await using plain = await openSafetensors(path)
    const entries = [...plain.tensors.values()].map(({ name, shape }) => {
      return { name, dtype: 'F32' as const, shape, data: async () => (await plain.readFloat32(name)).data }
    })
    const ours = join(folder(), 'ours.safetensors')
    await writeSafetensors(ours, entries, { method: 'encoder', config: JSON.stringify(config) })
    await using file = await openEncoderFile(ours, given({ numHeads: config.numHeads }))
    expect(file.config).toEqual(config)
    for (const options of [{ numHeads: 4 }, { activation: 'quick-gelu' }] as const) {
      await expect(openEncoderFile(ours, given(options))).rejects.toMatchObject({
        code: 'ERR_CAE_OPTION',
        message: expect.stringMatching(/contradicts the file/),
      })
    }
  })

  test('wants whole patches, and to be told where the file does not', async () => {
    const path = await encoder({})
    await expect(openEncoderFile(path, given({ numHeads: 2, imageSize: 30 }))).rejects.toMatchObject({
      message: expect.stringMatching(/multiple/),
    })
    const odd = await encoder({ imageSize: [16, 48] })
    await expect(openEncoderFile(odd, given())).rejects.toMatchObject({ message: expect.stringMatching(/12 patches make no square/) })
    await using file = await openEncoderFile(odd, given({ numHeads: 2, imageSize: [16, 48] }))
    expect(file.report.reshaped).toEqual([])
  })
})
