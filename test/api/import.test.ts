import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { Encoder } from '../../src/api/encoder.js'
import { importWeights } from '../../src/api/import.js'
import { inspect } from '../../src/api/inspect.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import { type CaeNaming, toCaeNaming } from '../../src/import/cae-names.js'
import { timmLayout } from '../../src/import/layouts/timm.js'
import { openSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import type { CAEConfigInput } from '../../src/methods/cae.js'
import { drawnTensors, tinyVit, writeForeign } from '../support/foreign-file.js'
import { runCli } from '../support/run-cli.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

describe('a whole Context Autoencoder of others', () => {
  const config: CAEConfigInput = { ...tinyModel, target: 'tokens', vocabSize: 20, dropPath: 0, maskShape: 'random' }
  const wide: CAEConfigInput = { ...config, decoderDim: 16 } // mmpretrain's has no projection

  /** A model, and its weights in a file as others would have written it. */
  async function written(naming: CaeNaming, container = 'model.') {
    const model = await ContextAutoencoder.create(naming === 'mmpretrain' ? wide : config, { seed: 1, device: 'cpu' })
    const weights = await model.weights()
    const rename = toCaeNaming(naming)
    const entries = Object.entries(weights).map(([name, { data, shape }]) => ({
      name: container + (rename(name) ?? ''),
      dtype: 'F32' as const,
      data,
      shape,
    }))
    const copy = {
      name: `${container}${naming === 'B' ? 'alignment_encoder' : 'teacher'}.cls_token`,
      dtype: 'F32',
      shape: [1],
      data: new Float32Array(1),
    } as const
    const optimizer = { ...copy, name: 'optimizer.state.0.exp_avg' }
    await writeSafetensors(at('foreign.safetensors'), container === '' ? [...entries, copy] : [...entries, copy, optimizer])
    return { model, weights, path: at('foreign.safetensors') }
  }

  test.each(['A', 'B', 'mmpretrain'] as const)('loads into a model from names %s', async (naming) => {
    const { model, weights, path } = await written(naming)
    await using _ = model
    await using other = await ContextAutoencoder.create(model.config, { seed: 2, device: 'cpu' })
    const report = await other.loadWeights(path)
    expect(report).toMatchObject({ missing: [], unused: [] })
    expect(await other.weights()).toEqual(weights)
  })

  test.each([
    ['A', ''],
    ['B', 'model.'],
    ['mmpretrain', 'state_dict.'],
  ] as const)('becomes one of ours from names %s', async (naming, container) => {
    const { model, weights, path } = await written(naming, container)
    await using _ = model
    const report = await importWeights(path, { out: at('ours'), numHeads: 2 })
    expect(report).toMatchObject({ kind: 'cae', method: 'cae', keys: { missing: [], unexpected: [], reshaped: [] } })
    expect(report.keys.matched).toHaveLength(Object.keys(weights).length)
    await using loaded = await ContextAutoencoder.load(at('ours'), { device: 'cpu' })
    expect(await loaded.weights()).toEqual(weights)
    expect(loaded.config).toMatchObject({
      decoderDim: model.config.decoderDim,
      regressorDepth: 1,
      decoderDepth: 1,
      target: 'tokens',
      vocabSize: 20,
    })
    expect((await inspect(at('ours'))).uses).toEqual(['embed', 'eval', 'init-from'])
  })

  test('of the second version predicts latents', async () => {
    const { decoderDepth: _, ...model } = config
    await using v2 = await ContextAutoencoder.create({ ...model, target: 'latents', latentDim: 6 }, { seed: 1, device: 'cpu' })
    const weights = await v2.weights()
    const rename = toCaeNaming('B')
    const entries = Object.entries(weights).map(([name, { data, shape }]) => ({
      name: rename(name) ?? '',
      dtype: 'F32' as const,
      data,
      shape,
    }))
    await writeSafetensors(at('v2.safetensors'), entries)
    expect(await importWeights(at('v2.safetensors'), { out: at('ours'), numHeads: 2 })).toMatchObject({
      kind: 'cae',
      keys: { missing: [] },
    })
    await using loaded = await ContextAutoencoder.load(at('ours'), { device: 'cpu' })
    expect(await loaded.weights()).toEqual(weights)
    expect(loaded.config).toMatchObject({ target: 'latents', latentDim: 6, decoderDepth: 0, decoderLayerScaleInit: 0.1 })
  })

  test('gives its encoder, with or without the rest', async () => {
    const { model, path } = await written('B')
    await using _ = model
    const images = { data: Float32Array.from({ length: 3072 }, (_, i) => Math.cos(i)), shape: [1, 3, 32, 32] }
    await using encoder = await Encoder.load(path, { device: 'cpu', numHeads: 2 })
    expect(await encoder.encode(images)).toEqual(await model.encode(images))
    const found = await inspect(path, { numHeads: 2 })
    expect(found).toMatchObject({
      origin: 'official',
      method: 'cae',
      title: 'CAE, whole model',
      uses: ['embed', 'eval', 'import', 'init-from'],
    })
    await expect(ContextAutoencoder.load(path)).rejects.toMatchObject({ message: expect.stringMatching(/cae-torch import/) })
  })

  test('that lacks a tensor is refused, and nothing is written', async () => {
    const { model, path } = await written('A')
    await using _ = model
    await using file = await openSafetensors(path)
    const kept = [...file.tensors.values()].filter(({ name }) => !name.includes('pretext_neck.head'))
    const entries = await Promise.all(
      kept.map(async ({ name, shape }) => ({ name, dtype: 'F32' as const, shape, data: (await file.readFloat32(name)).data })),
    )
    await writeSafetensors(at('less.safetensors'), entries)
    await expect(importWeights(at('less.safetensors'), { out: at('ours'), numHeads: 2 })).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
    })
    expect(await readdir(at('ours')).catch(() => [])).toEqual([])
  })
})

describe('an encoder of others', () => {
  const image = { data: Float32Array.from({ length: 3072 }, (_, i) => Math.cos(i)), shape: [1, 3, 32, 32] }

  async function mae(): Promise<string> {
    await writeForeign(at('mae.safetensors'), drawnTensors(tinyVit()), timmLayout, 'model.')
    return at('mae.safetensors')
  }

  test('is written as ours with all that is known, and encodes the same', async () => {
    const path = await mae()
    const report = await importWeights(path, { out: at('ours'), numHeads: 2 })
    expect(report).toMatchObject({
      kind: 'encoder',
      origin: 'official',
      method: 'mae',
      title: 'MAE, encoder',
      source: { container: 'model' },
    })
    expect(JSON.parse(await readFile(at('ours', 'import.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(report)))
    await using direct = await Encoder.load(path, { device: 'cpu', numHeads: 2 })
    await using ours = await Encoder.load(at('ours'), { device: 'cpu' })
    expect(ours.config).toEqual(direct.config)
    expect(await ours.encode(image)).toEqual(await direct.encode(image))
    const found = await inspect(at('ours'))
    expect(found).toMatchObject({ origin: 'weights', method: 'mae', title: 'MAE, encoder', uses: ['embed', 'eval'] })
    await using opened = await openSafetensors(at('ours', 'model.safetensors'))
    expect(Object.keys(opened.metadata).sort()).toEqual(['config', 'format', 'method', 'origin'])
  })

  test('is resampled when it is taken over, or later, to the same numbers', async () => {
    const path = await mae()
    await importWeights(path, { out: at('larger'), numHeads: 2, imageSize: 48 })
    await importWeights(path, { out: at('same'), numHeads: 2 })
    const images = { data: Float32Array.from({ length: 3 * 48 * 48 }, (_, i) => Math.cos(i)), shape: [1, 3, 48, 48] }
    await using larger = await Encoder.load(at('larger'), { device: 'cpu' })
    await using later = await Encoder.load(at('same'), { device: 'cpu', imageSize: 48 })
    expect(await larger.encode(images)).toEqual(await later.encode(images))
  })

  test('our own files need no import', async () => {
    await importWeights(await mae(), { out: at('ours'), numHeads: 2 })
    await expect(importWeights(at('ours'), { out: at('again') })).rejects.toMatchObject({ code: 'ERR_CAE_OPTION' })
    await expect(ContextAutoencoder.load(at('ours'))).rejects.toMatchObject({ message: expect.stringMatching(/an encoder alone/) })
  })

  test('a model of ours gives its encoder at another size', async () => {
    await using model = await ContextAutoencoder.create({ ...tinyModel, dropPath: 0 }, { device: 'cpu' })
    await model.save(at('model.safetensors'))
    await using same = await Encoder.load(at('model.safetensors'), { device: 'cpu' })
    expect(await same.encode(image)).toEqual(await model.encode(image))
    await using larger = await Encoder.load(at('model.safetensors'), { device: 'cpu', imageSize: 64 })
    expect(larger.config).toMatchObject({ imageSize: [64, 64], positions: 'reference' })
  })

  test('the command line imports and inspects', async () => {
    const path = await mae()
    const imported = await runCli(['import', path, '--out', at('ours'), '--num-heads', '2', '--image-size', '48'])
    expect(imported).toMatchObject({ status: 0, stderr: '' })
    expect(imported.stdout).toMatch(/MAE, encoder[\s\S]*resampled +encoder\.pos_embed \[1, 17, 16\] to \[1, 37, 16\]/)
    const shown = await runCli(['inspect', path, '--num-heads', '2'])
    expect(shown.stdout).toMatch(/origin +official[\s\S]*method +mae[\s\S]*32x32 px in patches of 8[\s\S]*good for +embed, eval, import/)
    expect(await runCli(['import', path, '--out', at('ours')])).toMatchObject({ status: 2, stderr: expect.stringMatching(/give numHeads/) })
  })
})
