import { join } from 'node:path'

import { ContextAutoencoder } from '../../src/api/model.js'
import { Tokenizer } from '../../src/api/tokenizer.js'
import { Trainer } from '../../src/api/trainer.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import type { TokenizerInput } from '../../src/methods/resolve.js'
import { drawImage } from '../support/images.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'
import { tinyLight, tinyTokenizer } from '../support/tiny-tokenizer.js'

const folder = temporaryFolder()
const create = (config: TokenizerInput = tinyTokenizer) => Tokenizer.create(config, { seed: 3, device: 'cpu' })
const images = [drawImage(1, 20), drawImage(2, 16), drawImage(3, 40, 24)]

describe.each([
  ["DALL-E's", tinyTokenizer, 2],
  ['the light', tinyLight, 4],
] as const)('%s tokenizer', (_, config, side) => {
  test('starts from finite weights whatever lay in its memory before', async () => {
    {
      await using full = await create(config)
      const weights = Object.entries(await full.weights())
      const bad = weights.map(([name, { data, shape }]) => [name, { data: new Float32Array(data.length).fill(Number.NaN), shape }] as const)
      await full.loadWeights(Object.fromEntries(bad))
    }
    await using tokenizer = await create(config)
    for (const { data } of Object.values(await tokenizer.weights())) expect(data.every(Number.isFinite)).toBe(true)
  })

  test('makes ids of images, and images of ids', async () => {
    await using tokenizer = await create(config)
    const ids = await tokenizer.encode(images)
    expect(ids.shape).toEqual([3, side, side])
    expect([...ids.data].every((id) => id >= 0 && id < 12)).toBe(true)
    const made = await tokenizer.decode(ids)
    expect(made.shape).toEqual([3, 3, 16, 16])
    expect(made.data.every((value) => value >= 0 && value <= 1)).toBe(true)

    const reconstruction = await tokenizer.reconstruct(images)
    expect(reconstruction.ids).toEqual(ids)
    expect(reconstruction.images).toEqual(made)
    const squares = made.data.reduce((sum, value, at) => sum + (value - (reconstruction.original.data[at] ?? 0)) ** 2, 0)
    expect(reconstruction.mse).toBeCloseTo(squares / made.data.length, 6)
    expect(reconstruction.psnr).toBeCloseTo(10 * Math.log10(1 / reconstruction.mse), 6)
  })

  test('takes bytes of any size that its grid divides, and gives pixels back as they were', async () => {
    await using tokenizer = await create(config)
    const data = Uint8Array.from({ length: 3 * 8 * 24 }, (_value, at) => (at * 37) % 256)
    const bytes = { data, shape: [1, 3, 8, 24] }
    expect((await tokenizer.encode(bytes)).shape).toEqual([1, side / 2, (side * 3) / 2])
    const { original } = await tokenizer.reconstruct(bytes)
    original.data.forEach((value, at) => {
      expect(Math.round(value * 255)).toBe(data[at])
    })
  })

  test('comes back from a file as it went in, and the file has its average alone', async () => {
    await using tokenizer = await create(config)
    await using trainer = await Trainer.create(tokenizer, { lr: 0.05 })
    const schedule = config === tinyTokenizer ? { tau: 1, beta: 1 } : { tau: 1 }
    for (let step = 0; step < 3; step++) await trainer.step({ images }, { schedule })
    const file = join(folder(), 'tokenizer.safetensors')
    await tokenizer.save(file)
    await using opened = await openSafetensors(file)
    expect([...opened.tensors.keys()].filter((name) => name.startsWith('average.'))).toEqual([])

    await using loaded = await Tokenizer.load(file, { device: 'cpu' })
    expect(loaded.config).toEqual({ ...tokenizer.config, averageDecay: 0 })
    expect(await loaded.encode(images)).toEqual(await tokenizer.encode(images))
    const name = config === tinyTokenizer ? 'encoder.blocks.input.w' : 'codebook.weight'
    const weights = await tokenizer.weights([name, `average.${name}`])
    expect(weights[name]).not.toEqual(weights[`average.${name}`])
    expect((await loaded.weights([name]))[name]).toEqual(weights[`average.${name}`])
  })

  test('draws the same weights for a seed, others for another', async () => {
    const weightsOf = async (seed: number) => {
      await using tokenizer = await Tokenizer.create(config, { seed, device: 'cpu' })
      return tokenizer.weights()
    }
    const first = await weightsOf(1)
    expect(await weightsOf(1)).toEqual(first)
    expect(await weightsOf(2)).not.toEqual(first)
  })
})

test('noise is drawn from seed and step unless it is given; without it a forward is the same every time', async () => {
  await using tokenizer = await create()
  const loss = async (options: { dropPath?: boolean; seed?: number; step?: number }) => {
    const out = await tokenizer.forward({ images }, { schedule: { tau: 0.5, beta: 1 }, ...options })
    return out['out/loss']?.data[0]
  }
  const still = await loss({})
  expect(await loss({ step: 4 })).toBe(still)
  const noisy = await loss({ dropPath: true, seed: 1, step: 4 })
  expect(noisy).not.toBe(still)
  expect(await loss({ dropPath: true, seed: 1, step: 4 })).toBe(noisy)
  expect(await loss({ dropPath: true, seed: 1, step: 5 })).not.toBe(noisy)
  expect(await loss({ dropPath: true, seed: 2, step: 4 })).not.toBe(noisy)
})

describe('a mistake is told', () => {
  const oops = async (work: (tokenizer: Tokenizer) => Promise<unknown>) => {
    await using tokenizer = await create()
    await work(tokenizer)
  }
  const image = { data: new Float32Array(3 * 16 * 16).fill(0.5), shape: [1, 3, 16, 16] }

  test.each([
    [
      'an id that is not there',
      (t: Tokenizer) => t.decode({ data: Int32Array.of(0, 12), shape: [1, 1, 2] }),
      'ERR_CAE_SHAPE',
      /id is 12.*0 to 11/,
    ],
    ['a negative id', (t: Tokenizer) => t.decode({ data: Int32Array.of(-1), shape: [1, 1, 1] }), 'ERR_CAE_SHAPE', /id is -1/],
    ['flat ids', (t: Tokenizer) => t.decode({ data: Int32Array.of(1), shape: [1, 1] }), 'ERR_CAE_SHAPE', /\[B, h, w\]/],
    [
      'a size off the grid',
      (t: Tokenizer) => t.encode({ data: new Uint8Array(3 * 12 * 8), shape: [1, 3, 12, 8] }),
      'ERR_CAE_SHAPE',
      /multiples of 8/,
    ],
    ['no images', (t: Tokenizer) => t.encode([]), 'ERR_CAE_SHAPE', /list is empty/],
    ['a schedule that lacks beta', (t: Tokenizer) => t.forward({ images: image }, { schedule: { tau: 1 } }), 'ERR_CAE_OPTION', /'beta'/],
    [
      'a schedule that has too much',
      (t: Tokenizer) => t.forward({ images: image }, { schedule: { tau: 1, beta: 1, teta: 1 } }),
      'ERR_CAE_OPTION',
      /'teta'/,
    ],
    [
      'noise of another shape',
      (t: Tokenizer) =>
        t.forward({ images: image, noise: { data: new Float32Array(12), shape: [1, 12, 1, 1] } }, { schedule: { tau: 1, beta: 1 } }),
      'ERR_CAE_SHAPE',
      /\[1, 12, 2, 2\]/,
    ],
  ] as const)('%s', async (_name, work, code, message) => {
    await expect(oops(work)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test('a file of another kind', async () => {
    const file = join(folder(), 'model.safetensors')
    await using model = await ContextAutoencoder.create(tinyModel, { device: 'cpu' })
    await model.save(file)
    await expect(Tokenizer.load(file)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
    await using tokenizer = await create()
    await tokenizer.save(file)
    await expect(ContextAutoencoder.load(file)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
  })

  test('use after dispose', async () => {
    const tokenizer = await create()
    await tokenizer.dispose()
    await tokenizer.dispose()
    await expect(tokenizer.encode(images)).rejects.toMatchObject({ code: 'ERR_CAE_DISPOSED' })
    await expect(tokenizer.decode({ data: Int32Array.of(1), shape: [1, 1, 1] })).rejects.toMatchObject({ code: 'ERR_CAE_DISPOSED' })
  })
})
