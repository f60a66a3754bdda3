import { runChild } from '../support/border-child.js'
import { expectClose } from '../support/expect-close.js'

jest.setTimeout(60_000) // children load libtorch, on a machine that may be busy

interface Outcome {
  readonly loss: number
  readonly names: readonly string[]
  readonly moments: readonly { readonly data: readonly number[]; readonly shape: readonly number[] }[]
}

/** Three steps of two batches, of five images and of one, by `threads` threads in a process of its own. */
async function train(threads: number, overrides: object, lr: number): Promise<Outcome> {
  const output = await runChild(`
    addon.configure({ threads: ${threads}, deterministic: false })
    const w = await makeWorld(5, ${JSON.stringify(overrides)})
    const [images, mask] = [{ data: new Float32Array(3 * 64 * 64).fill(0.25), shape: [1, 3, 64, 64] }, { data: Uint8Array.from({ length: 64 }, (_, i) => i % 2), shape: [1, 64] }]
    const last = await addon.createBatch(images, mask, undefined)
    let result
    for (let step = 0; step < 3; step++) {
      result = await addon.step(w.trainer, [w.batch, last], { step, lr: ${lr}, weightDecay: 0.05, clipNorm: 3, seed: 1, firstPosition: 0, schedule: {} })
    }
    const names = addon.trainerTensors(w.trainer).map((tensor) => tensor.name)
    const moments = await addon.trainerRead(w.trainer, names)
    console.log(JSON.stringify({ loss: result.values.loss, names, moments: moments.map(({ data, shape }) => ({ data: [...data], shape })) }))`)
  return JSON.parse(output)
}

// Small, so that its tensors travel as text. The lanes get uneven shares of the first batch, and some nothing of the second.
const small = { embedDim: 24, decoderDim: 24, depth: 2, regressorDepth: 1, decoderDepth: 1 }

describe.each([
  ['shared target weights', small],
  ['lagged target weights with momentum', { ...small, targetWeights: 'lagged', targetMomentum: 0.5 }],
])('threads that share a step by samples, %s', (_, overrides) => {
  test('give the same bits in every run', async () => {
    const [first, second] = [await train(2, overrides, 1e-3), await train(2, overrides, 1e-3)]
    expect(second).toEqual(first)
  })

  // With weights that stand still the moments are the gradients' alone: AdamW would turn rounding of a gradient that is 0 in theory
  // (a bias of keys) into whole steps.
  test.each([2, 3])('%i threads get the gradients of one', async (threads) => {
    const [one, several] = [await train(1, overrides, 0), await train(threads, overrides, 0)]
    expect(Math.abs(several.loss - one.loss)).toBeLessThan(1e-6)
    one.names.forEach((name, at) => {
      const want = one.moments[at]
      if (want !== undefined) expectClose(name, several.moments[at], want, 1e-6)
    })
  })
})
