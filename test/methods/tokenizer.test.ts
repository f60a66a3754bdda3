import { tokenizerPresetNames, tokenizers } from '../../src/methods/registry.js'
import { resolveTokenizer, resolveTokenizerRun, type TokenizerInput, tokenizerMethodOf } from '../../src/methods/resolve.js'
import { cosine, judgeCodebook } from '../../src/methods/tokenizer.js'

test('a cosine goes from one value to the other over its share of the run, and stays there', () => {
  const tau = cosine(1, 1 / 16, 0.05, 3000)
  expect(tau(0)).toBe(1)
  expect(tau(75)).toBeCloseTo((1 + 1 / 16) / 2, 12)
  expect(tau(150)).toBeCloseTo(1 / 16, 12)
  expect(tau(2999)).toBe(tau(150))
  for (let step = 1; step < 160; step++) expect(tau(step)).toBeLessThanOrEqual(tau(step - 1))
  expect(cosine(0, 6.6, 0, 10)(0)).toBe(0)
  expect(cosine(0, 6.6, 0, 10)(1)).toBeCloseTo(6.6, 12)
})

test("DALL-E's schedules, at DALL-E's length", () => {
  const { model, train } = resolveTokenizerRun({ data: 'photos', out: 'runs/a', model: 'dvae-dalle', steps: 3_000_000 })
  const { tau, beta } = tokenizers.dvae.schedules?.(model as never, 3_000_000) ?? {}
  expect([tau?.(0), tau?.(150_000), beta?.(0), beta?.(5000)]).toEqual([1, 1 / 16, 0, 6.6].map((value) => expect.closeTo(value, 10)))
  expect(tokenizers.dvae.lrSteps?.(model as never, 3_000_000)).toBe(1_200_000)
  expect(train).toMatchObject({
    batchSize: 512,
    lr: 1e-4,
    minLr: 1.25e-6,
    weightDecay: 1e-4,
    beta2: 0.999,
    eps: 1e-8,
    warmupSteps: 0,
    warmupEpochs: 0,
  })
  expect(model).toMatchObject({
    imageSize: [256, 256],
    vocabSize: 8192,
    hiddenDim: 256,
    decoderInputDim: 128,
    blocksPerGroup: 2,
    averageDecay: 0.999,
  })
})

test.each(tokenizerPresetNames)(
  'the preset %s resolves, names its network, and comes out of its own resolved form as it went in',
  (preset) => {
    const { method, config } = resolveTokenizer(preset as TokenizerInput)
    expect(resolveTokenizer(config, method)).toEqual({ method, config })
    expect(tokenizerMethodOf({ model: preset }).name).toBe(method)
    const { train, notes } = resolveTokenizerRun({ data: 'photos', out: 'runs/a', model: preset as TokenizerInput, steps: 100 })
    expect(train.method).toBe(method)
    expect(notes).toEqual([])
  },
)

test('a collapsed codebook is found after the first steps, a living one never', () => {
  const at = { step: 500, steps: 1000, recent: { perplexity: 1.2 } }
  expect(judgeCodebook(at)).toMatchObject({ what: expect.stringMatching(/1\.20/), todo: expect.stringMatching(/tau/) })
  expect(judgeCodebook({ ...at, step: 40 })).toBeUndefined()
  expect(judgeCodebook({ ...at, step: 60, steps: 2000 })).toBeUndefined()
  expect(judgeCodebook({ ...at, recent: { perplexity: 30 } })).toBeUndefined()
})
