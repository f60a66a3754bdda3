import { readFileSync } from 'node:fs'

import { ContextAutoencoder } from '../../../src/api/model.js'
import type { CAEConfigInput } from '../../../src/methods/cae.js'
import type { F32Tensor } from '../../../src/native/types.js'
import { sharedFile } from '../../support/shared-data.js'

/** Wide enough for statistics, shallow enough for a second. */
const config: CAEConfigInput = {
  preset: 'cae-nano',
  imageSize: 32,
  embedDim: 128,
  depth: 2,
  decoderDim: 192,
  regressorDepth: 2,
  decoderDepth: 1,
  target: 'tokens',
  vocabSize: 512,
  layerScaleInit: 0.25,
}

async function freshWeights(input: CAEConfigInput, seed = 0): Promise<Record<string, F32Tensor>> {
  await using model = await ContextAutoencoder.create(input, { seed, device: 'cpu' })
  return model.weights()
}

function statistics({ data }: F32Tensor) {
  let [sum, squares, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const x of data) {
    sum += x
    squares += x * x
    if (x < min) min = x
    if (x > max) max = x
  }
  const mean = sum / data.length
  return { mean, std: Math.sqrt(squares / data.length - mean ** 2), min, max, count: data.length }
}

/** Bit for bit; Jest's own comparison takes seconds for millions of numbers. */
const sameBits = (a: F32Tensor | undefined, b: F32Tensor | undefined) =>
  a !== undefined && b !== undefined && Buffer.from(a.data.buffer).equals(Buffer.from(b.data.buffer))

/** Xavier's bound and deviation: uniform on ±sqrt(6 / (in + out)). */
const xavier = ([out = 0, into = 0]: readonly number[]) => ({ bound: Math.sqrt(6 / (into + out)), std: Math.sqrt(2 / (into + out)) })
/** A normal distribution cut at one deviation of 0.02. */
const cutNormal = (scale = 1) => ({ bound: 0.02 * scale, std: 0.010792 * scale })

function expectDrawn(name: string, tensor: F32Tensor | undefined, want: { bound: number; std: number }): void {
  if (!tensor) throw new Error(`there is no ${name}`)
  const { mean, std, min, max, count } = statistics(tensor)
  const fits = Math.max(-min, max) <= want.bound * (1 + 1e-6) && Math.abs(std / want.std - 1) < Math.max(0.02, 4 / Math.sqrt(count))
  if (!fits || Math.abs(mean) > (5 * want.std) / Math.sqrt(count))
    throw new Error(`${name}: ${JSON.stringify({ mean, std, min, max })}, wanted ${JSON.stringify(want)}`)
}

describe('start weights', () => {
  test('xavier: bounds by the stored matrix, the fused qkv included; tokens and patch projection cut normal', async () => {
    const weights = await freshWeights(config)
    for (const [name, tensor] of Object.entries(weights)) {
      if (/token$|patch_embed.proj.weight/.test(name)) expectDrawn(name, tensor, cutNormal())
      else if (tensor.shape.length === 2) expectDrawn(name, tensor, xavier(tensor.shape))
      else if (/gamma/.test(name)) expect([name, statistics(tensor)]).toEqual([name, expect.objectContaining({ min: 0.25, max: 0.25 })])
      else if (/norm.*weight$/.test(name)) expect([name, statistics(tensor)]).toEqual([name, expect.objectContaining({ min: 1, max: 1 })])
      else if (/bias$/.test(name)) expect([name, statistics(tensor)]).toEqual([name, expect.objectContaining({ min: 0, max: 0 })])
    }
  })

  test('truncated: cut normal everywhere, residual projections scaled by depth, the projection between widths as the framework has it', async () => {
    const weights = await freshWeights({ ...config, init: 'truncated' })
    for (const [name, tensor] of Object.entries(weights)) {
      const block = /blocks\.(\d+)\.(?:attn\.proj|mlp\.fc2|cross_attn\.proj|mlp_cross\.fc2)\.weight$/.exec(name)?.[1]
      if (name === 'encoder_to_decoder.weight') expectDrawn(name, tensor, { bound: 1 / Math.sqrt(128), std: 1 / Math.sqrt(3 * 128) })
      else if (name === 'encoder_to_decoder.bias') expect(statistics(tensor).max).toBeGreaterThan(0)
      else if (tensor.shape.length === 2)
        expectDrawn(name, tensor, cutNormal(block === undefined ? 1 : 1 / Math.sqrt(2 * (Number(block) + 1))))
    }
  })

  test('the same seed gives the same bits, another seed others', async () => {
    const [first, again, other] = await Promise.all([freshWeights(config, 7), freshWeights(config, 7), freshWeights(config, 8)])
    expect(Object.keys(first).filter((name) => !sameBits(first[name], again[name]))).toEqual([])
    for (const name of ['mask_token', 'encoder.blocks.1.mlp.fc1.weight']) expect(sameBits(first[name], other[name])).toBe(false)
  })

  test('a lagging target starts as the encoder', async () => {
    const weights = await freshWeights({ ...config, targetWeights: 'lagged' })
    for (const [name, tensor] of Object.entries(weights)) {
      if (name.startsWith('teacher.')) expect([name, sameBits(tensor, weights[name.replace('teacher.', 'encoder.')])]).toEqual([name, true])
    }
    expect(Object.keys(weights).filter((name) => name.startsWith('teacher.')).length).toBeGreaterThan(20)
  })

  test.each([
    ['xavier', 'base_fix_init_false'],
    ['truncated', 'base_width_fix_init_true'],
  ] as const)('%s: the first blocks at base width have the deviations of the authors’ own', async (init, name) => {
    const path = sharedFile('golden/cae_init_stats.json')
    if (path === undefined) return
    const reference: Record<string, { std: number }> = JSON.parse(readFileSync(path, 'utf8')).cases[name]
    const first: CAEConfigInput = { preset: 'cae-base', depth: 1, regressorDepth: 1, decoderDepth: 1, target: 'tokens', init }
    await using model = await ContextAutoencoder.create(first, { device: 'cpu' })
    const large = model.tensors.filter((tensor) => tensor.name in reference && tensor.shape.reduce((a, b) => a * b, 1) > 50_000)
    expect(large.length).toBeGreaterThan(10)
    for (const [tensor, values] of Object.entries(await model.weights(large.map((one) => one.name)))) {
      const ratio = statistics(values).std / (reference[tensor]?.std ?? Number.NaN)
      expect([tensor, Math.abs(ratio - 1) < 0.02]).toEqual([tensor, true])
    }
  })
})
