import { ContextAutoencoder } from '../../src/api/model.js'
import type { CAEConfigInput } from '../../src/methods/cae.js'
import { expectClose } from '../support/expect-close.js'

const config: CAEConfigInput = {
  preset: 'cae-nano',
  imageSize: [16, 24],
  patchSize: 8,
  embedDim: 16,
  depth: 2,
  numHeads: 2,
  regressorDepth: 1,
  decoderDepth: 1,
  maskShape: 'random',
  maskCount: 2,
  positions: 'grid',
}
const create = (over: CAEConfigInput = {}) => ContextAutoencoder.create({ ...config, ...over }, { seed: 1, device: 'cpu' })

/** Decoded pixels, a ramp. */
function picture(width: number, height: number) {
  return { data: Uint8Array.from({ length: width * height * 3 }, (_, i) => i % 251), width, height, channels: 3 as const }
}

/** The same picture as a tensor [1, 3, H, W]. */
function tensorOf({ data, width, height }: ReturnType<typeof picture>) {
  const planes = Uint8Array.from(
    { length: data.length },
    (_, i) => data[(i % (width * height)) * 3 + Math.floor(i / (width * height))] ?? 0,
  )
  return { data: planes, shape: [1, 3, height, width] }
}

describe('encode', () => {
  test('takes decoded pixels and tensors alike', async () => {
    await using model = await create()
    const fromPixels = await model.encode(picture(24, 16))
    expect(fromPixels.shape).toEqual([1, 7, 16])
    expectClose('tokens', await model.encode(tensorOf(picture(24, 16))), fromPixels, 1e-5)
  })

  test('scales and cuts images of other sizes, any number of them', async () => {
    await using model = await create()
    const { shape, data } = await model.encode([picture(24, 16), picture(100, 40), picture(5, 90)])
    expect(shape).toEqual([3, 7, 16])
    expect(data.every(Number.isFinite)).toBe(true)
    await expect(model.encode([])).rejects.toMatchObject({ code: 'ERR_CAE_SHAPE' })
    await expect(model.encode('no/such.jpg')).rejects.toMatchObject({
      code: 'ERR_CAE_BAD_IMAGE',
      message: expect.stringContaining('no/such.jpg'),
    })
  })

  test('bf16 stays near fp32', async () => {
    await using model = await create()
    expectClose('tokens', await model.encode(picture(24, 16), { precision: 'bf16' }), await model.encode(picture(24, 16)), 0.1)
  })
})

describe('attention', () => {
  test('gives every head a share of each patch, together below 1', async () => {
    await using model = await create()
    const { data, shape } = await model.attention([picture(24, 16), picture(30, 30)])
    expect(shape).toEqual([2, 2, 6])
    for (let head = 0; head < 4; head++) {
      const sum = data.subarray(head * 6, (head + 1) * 6).reduce((total, share) => total + share, 0)
      expect(sum).toBeGreaterThan(0)
      expect(sum).toBeLessThan(1)
    }
  })
})

describe('reconstruct', () => {
  test('keeps visible patches, predicts hidden ones, and measures those alone', async () => {
    await using model = await create()
    const { images, original, mask, mse, psnr } = await model.reconstruct(picture(24, 16), { seed: 2 })
    expect(images.shape).toEqual([1, 3, 16, 24])
    expect(mask?.data.reduce((sum, hidden) => sum + hidden, 0)).toBe(2)
    let [squares, count] = [0, 0]
    images.data.forEach((value, i) => {
      const [x, y] = [i % 24, Math.floor(i / 24) % 16]
      const isHidden = mask?.data[Math.floor(y / 8) * 3 + Math.floor(x / 8)] === 1
      if (!isHidden) expect(value).toBe(original.data[i])
      squares += (value - (original.data[i] ?? 0)) ** 2
      count += Number(isHidden)
    })
    expect(mse).toBeCloseTo(squares / count, 6)
    expect(psnr).toBeCloseTo(10 * Math.log10(count / squares), 4)
  })

  test('gives the original’s pixels from 0 to 1, whether they came raw or normalised', async () => {
    await using model = await create()
    const raw = tensorOf(picture(24, 16))
    const [fromRaw, fromPixels] = [await model.reconstruct(raw), await model.reconstruct(picture(24, 16))]
    const want = { data: Float32Array.from(raw.data, (value) => value / 255), shape: raw.shape }
    expectClose('raw', fromRaw.original, want, 1e-6)
    expectClose('normalised', fromPixels.original, want, 1e-5)
  })

  test('by the full path predicts every patch', async () => {
    await using model = await create()
    const { mask, images, original } = await model.reconstruct(picture(24, 16), { path: 'full' })
    expect(mask).toBeNull()
    expect(images.data.filter((value, i) => value === original.data[i]).length).toBeLessThan(20)
  })

  test.each([{ target: 'tokens' }, { target: 'latents', decoderDepth: 0 }, { normalizeTarget: true }] as const)(
    'has no picture to show with %p',
    async (over) => {
      await using model = await create(over)
      await expect(model.reconstruct(picture(24, 16))).rejects.toMatchObject({ code: 'ERR_CAE_OPTION' })
    },
  )
})

describe('what is not a model', () => {
  test('cannot be created from wrong options', async () => {
    await expect(create({ numHeads: 3 })).rejects.toMatchObject({ code: 'ERR_CAE_OPTION', message: expect.stringMatching(/numHeads/) })
    const misspelt = { imagesize: 32 } as CAEConfigInput
    await expect(ContextAutoencoder.create(misspelt)).rejects.toMatchObject({
      code: 'ERR_CAE_OPTION',
      message: expect.stringMatching(/imageSize/),
    })
  })
})
