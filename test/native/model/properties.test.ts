import { ContextAutoencoder } from '../../../src/api/model.js'
import { Trainer } from '../../../src/api/trainer.js'
import type { CAEConfigInput } from '../../../src/methods/cae.js'
import { type RngKey, RngStream } from '../../../src/rng.js'
import { expectClose } from '../../support/expect-close.js'

const [patches, side] = [16, 4]
const config: CAEConfigInput = {
  preset: 'cae-nano',
  imageSize: 16,
  patchSize: side,
  embedDim: 16,
  depth: 2,
  numHeads: 2,
  regressorDepth: 2,
  decoderDepth: 1,
  maskShape: 'random',
  dropPath: 0,
}

/** Seeded numbers of [-1, 1). */
function images(count: number, index = 0): { data: Float32Array; shape: number[] } {
  const stream = new RngStream({ seed: 5, purpose: 'jitter', time: 0, index } satisfies RngKey)
  return { data: Float32Array.from({ length: count * 3 * 16 * 16 }, () => 2 * stream.uniform() - 1), shape: [count, 3, 16, 16] }
}

const everyOther = (count: number) => ({ data: Uint8Array.from({ length: count * patches }, (_, i) => i % 2), shape: [count, patches] })

/** Other pixels in every hidden patch. */
function repaintHidden({ data, shape }: ReturnType<typeof images>, mask: ReturnType<typeof everyOther>): ReturnType<typeof images> {
  const repainted = data.map((value, i) => {
    const [x, y, sample] = [i % 16, Math.floor(i / 16) % 16, Math.floor(i / (3 * 16 * 16))]
    const patch = Math.floor(y / side) * (16 / side) + Math.floor(x / side)
    return mask.data[sample * patches + patch] === 1 ? value + 3 : value
  })
  return { data: repainted, shape }
}

const model = (over: CAEConfigInput = {}) => ContextAutoencoder.create({ ...config, ...over }, { seed: 3, device: 'cpu' })

describe('a Context Autoencoder', () => {
  test('cannot see hidden pixels', async () => {
    await using cae = await model()
    const mask = everyOther(2)
    const options = { intermediates: true } as const
    const before = await cae.forward({ images: images(2), mask }, options)
    const after = await cae.forward({ images: repaintHidden(images(2), mask), mask }, options)
    for (const name of ['mid/encoder_out', 'mid/latent_pred', 'out/logits']) expect(after[name]).toEqual(before[name])
    for (const name of ['mid/latent_target', 'out/loss_main']) expect(after[name]).not.toEqual(before[name])
  })

  test('aligns with what the encoder makes of the hidden patches alone', async () => {
    await using cae = await model()
    const mask = everyOther(2)
    const inverted = { data: mask.data.map((hidden) => 1 - hidden), shape: mask.shape }
    const target = (await cae.forward({ images: images(2), mask }, { intermediates: true }))['mid/latent_target']
    const encoded = (await cae.forward({ images: images(2), mask: inverted }, { intermediates: true }))['mid/encoder_out']
    const [batch = 0, tokens = 0, dim = 0] = encoded?.shape ?? []
    const rows = Array.from({ length: batch }, (_, b) => [
      ...(encoded?.data.subarray((b * tokens + 1) * dim, (b + 1) * tokens * dim) ?? []),
    ])
    expectClose('latent_target', target, { data: rows.flat(), shape: [batch, tokens - 1, dim] }, 1e-5)
  })

  test('lets no gradient through the alignment target', async () => {
    await using cae = await model()
    const mask = everyOther(2)
    const black = { data: new Float32Array(2 * 3 * 16 * 16), shape: [2, 3, 16, 16] }
    // What a patch adds to this gradient is a multiple of its pixels: black visible patches add nothing, so any rest would be the target's.
    const { 'grad/encoder.patch_embed.proj.weight': gradient } = await cae.forward(
      { images: repaintHidden(black, mask), mask },
      { gradients: true },
    )
    expect(gradient?.data.every((value) => value === 0)).toBe(true)
  })

  test('gives the same bits for the same seeds, drop path included', async () => {
    const losses = async (seed: number) => {
      await using cae = await model({ dropPath: 0.5 })
      await using trainer = await Trainer.create(cae, { seed, lr: 1e-3 })
      const values: number[] = []
      for (let step = 0; step < 3; step++) values.push((await trainer.step({ images: images(4) })).values.loss ?? Number.NaN)
      return { values, weights: await cae.weights(['mask_token', 'encoder.blocks.1.mlp.fc1.weight']) }
    }
    const first = await losses(1)
    expect(await losses(1)).toEqual(first)
    expect((await losses(2)).values).not.toEqual(first.values)
  })

  test('learns the same from a batch in one piece and in parts', async () => {
    const whole = images(4)
    const half = (from: number) => ({ data: whole.data.slice(from * 768, (from + 2) * 768), shape: [2, 3, 16, 16] })
    const trained = async (parts: ReturnType<typeof images>[]) => {
      await using cae = await model({ dropPath: 0.3 })
      await using trainer = await Trainer.create(cae, { lr: 1e-3 })
      const { values } = await trainer.step(parts.map((part) => ({ images: part })))
      return { values, gradients: (await trainer.state()).tensors }
    }
    const [one, two] = await Promise.all([trained([whole]), trained([half(0), half(2)])])
    const { relative_loss: _, ...sums } = one.values // a ratio: each part is measured by the variance of its own pixels
    for (const [name, value] of Object.entries(sums)) expect(two.values[name]).toBeCloseTo(value, 4)
    for (const [name, tensor] of Object.entries(one.gradients)) expectClose(name, two.gradients[name], tensor, 1e-5)
  })

  test('bfloat16 stays within 2 % of the float32 loss', async () => {
    const loss = async (precision: 'fp32' | 'bf16') => {
      await using cae = await model({ embedDim: 64, numHeads: 4 })
      await using trainer = await Trainer.create(cae, { precision, lr: 1e-3 })
      const values: number[] = []
      for (let step = 0; step < 5; step++)
        values.push((await trainer.step({ images: images(4), mask: everyOther(4) })).values.loss ?? Number.NaN)
      return values
    }
    const [exact, low] = await Promise.all([loss('fp32'), loss('bf16')])
    for (const [step, value] of exact.entries()) expect(Math.abs((low[step] ?? Number.NaN) / value - 1)).toBeLessThan(0.02)
    expect(exact.at(-1)).toBeLessThan(exact[0] ?? 0)
  })

  test('a step whose loss is not finite changes nothing', async () => {
    await using cae = await model()
    await using trainer = await Trainer.create(cae)
    const before = await cae.weights()
    const broken = images(2)
    broken.data[0] = Number.NaN
    expect((await trainer.step({ images: broken, mask: everyOther(2) })).skipped).toBe(true)
    expect(await cae.weights()).toEqual(before)
    expect((await trainer.step({ images: images(2) })).skipped).toBe(false)
  })

  test('goes on from a saved state as if it had never stopped', async () => {
    const straight = await model()
    const trainer = await Trainer.create(straight, { lr: 1e-3 })
    await trainer.step({ images: images(4) })
    const [state, weights] = [await trainer.state(), await straight.weights()]
    const wanted = await trainer.step({ images: images(4, 1) })
    await using resumed = await model()
    await resumed.loadWeights(weights)
    await using again = await Trainer.create(resumed, { lr: 1e-3, state })
    const got = await again.step({ images: images(4, 1) })
    expect(got.values).toEqual(wanted.values)
    expect(await resumed.weights()).toEqual(await straight.weights())
    await trainer.dispose()
    await straight.dispose()
  })
})
