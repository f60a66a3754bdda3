import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { Encoder } from '../../src/api/encoder.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import { openSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import type { CAEConfigInput } from '../../src/methods/cae.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'

const config: CAEConfigInput = { ...tinyModel, imageSize: 16, patchSize: 4, maskShape: 'random' }
const create = (seed: number, over: CAEConfigInput = {}) => ContextAutoencoder.create({ ...config, ...over }, { seed, device: 'cpu' })
const folder = temporaryFolder()

describe('weights on disk', () => {
  test('come back bit for bit, with the configuration', async () => {
    await using model = await create(1)
    const path = join(folder(), 'model.safetensors')
    await model.save(path)
    await using loaded = await ContextAutoencoder.load(path, { device: 'cpu' })
    expect(loaded.config).toEqual(model.config)
    expect(await loaded.weights()).toEqual(await model.weights())
  })

  test('are the same bytes for the same weights', async () => {
    const paths = ['a', 'b'].map((name) => join(folder(), name))
    for (const path of paths) {
      await using model = await create(1)
      await model.save(path)
    }
    const [a, b] = await Promise.all(paths.map((path) => import('node:fs/promises').then((fs) => fs.readFile(path))))
    expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true)
  })

  test('are found in a checkpoint folder and in a run', async () => {
    await using model = await create(1)
    const step = join(folder(), 'run', 'checkpoints', 'step-3')
    await mkdir(step, { recursive: true })
    await model.save(join(step, 'model.safetensors'))
    await symlink('step-3', join(folder(), 'run', 'checkpoints', 'latest'))
    for (const path of [step, join(folder(), 'run', 'checkpoints'), join(folder(), 'run')]) {
      await using encoder = await Encoder.load(path, { device: 'cpu' })
      expect(encoder.config.embedDim).toBe(16)
    }
    await expect(Encoder.load(folder())).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringContaining(folder()) })
  })

  test('an encoder encodes as its model does', async () => {
    await using model = await create(1)
    await model.save(join(folder(), 'm.safetensors'))
    await using encoder = await Encoder.load(join(folder(), 'm.safetensors'), { device: 'cpu' })
    const images = { data: Float32Array.from({ length: 768 }, (_, i) => Math.cos(i)), shape: [1, 3, 16, 16] }
    expect(await encoder.encode(images)).toEqual(await model.encode(images))
  })
})

describe('loading weights', () => {
  test('reports what became of every tensor', async () => {
    await using from = await create(1)
    await using to = await create(2)
    const weights = await from.weights()
    const { 'encoder.pos_embed': _, ...without } = weights
    const report = await to.loadWeights(without)
    expect(report).toEqual({
      loaded: expect.arrayContaining(Object.keys(without)),
      missing: ['encoder.pos_embed'],
      unused: [],
      warnings: [],
    })
    expect(await to.weights()).toEqual(weights)
  })

  test('a lagging target that the weights lack starts as their encoder', async () => {
    await using from = await create(1)
    await using to = await create(2, { targetWeights: 'lagged' })
    await to.loadWeights(await from.weights())
    expect(await to.weights(['teacher.blocks.1.attn.qkv.weight'])).toEqual({
      'teacher.blocks.1.attn.qkv.weight': (await from.weights(['encoder.blocks.1.attn.qkv.weight']))['encoder.blocks.1.attn.qkv.weight'],
    })
  })

  test('refuses missing, unknown and misshapen tensors before anything is changed, and names them', async () => {
    await using model = await create(1)
    const before = await model.weights()
    const { mask_token: token, ...rest } = before
    const flat = { data: new Float32Array(3), shape: [3] }
    for (const [weights, subject] of [
      [rest, /mask_token is not there/],
      [{ ...before, stranger: flat }, /no stranger/],
      [{ ...before, mask_token: flat }, /mask_token has the shape \[3\], the model wants \[1, 1, 24\]/],
      [{ stranger: flat }, /not one tensor/],
    ] as const) {
      await expect(model.loadWeights(weights)).rejects.toMatchObject({
        code: 'ERR_CAE_CHECKPOINT',
        message: expect.stringMatching(subject),
      })
    }
    expect(await model.weights()).toEqual(before)
    expect(token?.shape).toEqual([1, 1, tinyModel.decoderDim])
  })

  test('takes what fits when it need not be strict', async () => {
    await using model = await create(1)
    const token = { data: new Float32Array(24).fill(3), shape: [1, 1, 24] }
    const report = await model.loadWeights({ mask_token: token, stranger: token }, { strict: false })
    expect(report).toMatchObject({ loaded: ['mask_token'], unused: ['stranger'] })
    expect((await model.weights(['mask_token'])).mask_token).toEqual(token)
  })

  test('refuses files that are torn, foreign, or say no model', async () => {
    await using model = await create(1)
    const [whole, torn, bare] = ['whole', 'torn', 'bare'].map((name) => join(folder(), `${name}.safetensors`)) as [string, string, string]
    await model.save(whole)
    const { readFile } = await import('node:fs/promises')
    await writeFile(torn, (await readFile(whole)).subarray(0, -10))
    await writeSafetensors(bare, [{ name: 'x', dtype: 'F32', shape: [1], data: new Float32Array(1) }])
    for (const path of [torn, bare, join(folder(), 'none.safetensors')]) {
      await expect(ContextAutoencoder.load(path)).rejects.toMatchObject({
        code: 'ERR_CAE_CHECKPOINT',
        message: expect.stringContaining(path),
      })
    }
    await using file = await openSafetensors(whole)
    expect(Object.keys(file.metadata).sort()).toEqual(['config', 'format', 'method'])
  })
})
