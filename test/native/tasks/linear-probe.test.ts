import { openSafetensors, type SafetensorsFile } from '../../../src/io/safetensors.js'
import type { Addon } from '../../../src/native/addon.js'
import { loadAddon } from '../../../src/native/load.js'
import type { F32Tensor, I32Tensor, LinearProbeHandle } from '../../../src/native/types.js'
import { RngStream } from '../../../src/rng.js'
import { sharedFile } from '../../support/shared-data.js'

const constants = { batchNormEps: 1e-6, batchNormMomentum: 0.1, momentum: 0.9, trust: 0.001, initStd: 0.01 }

let addon: Addon
const handles: LinearProbeHandle[] = []
beforeAll(async () => {
  addon = await loadAddon()
})
afterEach(async () => {
  for (const probe of handles.splice(0)) await addon.dispose(probe)
})

async function makeProbe(featureDim: number, classes: number, seed = 0): Promise<LinearProbeHandle> {
  const probe = await addon.createLinearProbe({ featureDim, classes, ...constants }, seed, 'cpu')
  handles.push(probe)
  return probe
}

/** Worst difference as a share of the greatest value wanted. */
function worst(got: F32Tensor | undefined, wanted: F32Tensor): number {
  expect(got?.shape).toEqual(wanted.shape)
  const largest = Math.max(...[...wanted.data].map(Math.abs))
  return Math.max(...[...wanted.data].map((value, i) => Math.abs((got?.data[i] ?? Number.NaN) - value))) / largest
}

const goldenPath = sharedFile('golden/probe_linear.safetensors')
const withGolden = goldenPath === undefined ? describe.skip : describe

withGolden('against the reference', () => {
  let file: SafetensorsFile
  beforeAll(async () => {
    file = await openSafetensors(goldenPath ?? '')
  })
  afterAll(() => file.close())

  async function labels(name: string): Promise<I32Tensor> {
    const { data, shape } = await file.read(name)
    return { data: Int32Array.from(data, Number), shape }
  }

  test('takes the four LARS steps, keeps the running statistics and scores as it does', async () => {
    const probe = await makeProbe(6, 5)
    const rates: number[] = JSON.parse(file.metadata.lr ?? '')
    const losses: number[] = JSON.parse(file.metadata.loss ?? '')
    const weightDecay = Number(file.metadata.weight_decay)
    await addon.linearProbeWrite(
      probe,
      ['head.1.weight', 'head.1.bias'],
      [await file.readFloat32('head.1.weight.init'), await file.readFloat32('head.1.bias.init')],
    )
    for (const [step, lr] of rates.entries()) {
      const x = await file.readFloat32(`x${step}`)
      const { loss } = await addon.linearProbeStep(probe, x, await labels(`y${step}`), undefined, lr, weightDecay)
      expect(Math.abs(loss / (losses[step] ?? 0) - 1)).toBeLessThan(1e-5)
    }
    // The file holds the weights of the last step under all four names; the losses tell the steps apart.
    const [weight, bias] = await addon.linearProbeRead(probe, ['head.1.weight', 'head.1.bias'])
    expect(worst(weight, await file.readFloat32('head.1.weight.after3'))).toBeLessThan(1e-5)
    expect(worst(bias, await file.readFloat32('head.1.bias.after3'))).toBeLessThan(1e-5)
    for (const name of ['head.0.running_mean', 'head.0.running_var']) {
      const [buffer] = await addon.linearProbeRead(probe, [name])
      expect(worst(buffer, await file.readFloat32(name))).toBeLessThan(1e-5)
    }
    const logits = await addon.linearProbeLogits(probe, await file.readFloat32('x0'))
    expect(worst(logits, await file.readFloat32('eval_logits_x0'))).toBeLessThan(1e-5)
  })
})

test('draws start weights of the deviation asked for, from the seed alone', async () => {
  const weightOf = async (seed: number) => (await addon.linearProbeRead(await makeProbe(512, 40, seed), ['head.1.weight']))[0]
  const first = await weightOf(1)
  expect((await weightOf(1))?.data).toEqual(first?.data)
  expect((await weightOf(2))?.data).not.toEqual(first?.data)
  const values = [...(first?.data ?? [])]
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
  // Within five standard errors for 20,480 draws.
  expect(Math.abs(mean)).toBeLessThan((5 * 0.01) / Math.sqrt(values.length))
  expect(Math.abs(deviation / 0.01 - 1)).toBeLessThan(5 / Math.sqrt(2 * values.length))
})

test('a step on rows of a bank is the step on those rows copied out', async () => {
  const random = new RngStream({ seed: 3, purpose: 'order', time: 0, index: 0 })
  const bank = { data: Float32Array.from({ length: 20 * 3 }, () => random.uniform()), shape: [20, 3] }
  const labels = { data: Int32Array.from({ length: 20 }, () => random.integer(0, 1)), shape: [20] }
  const rows = [4, 17, 0, 9]
  const picked = { data: Float32Array.from(rows.flatMap((row) => [...bank.data.subarray(row * 3, row * 3 + 3)])), shape: [4, 3] }
  const pickedLabels = { data: Int32Array.from(rows, (row) => labels.data[row] ?? 0), shape: [4] }
  const [one, other] = [await makeProbe(3, 2), await makeProbe(3, 2)]
  await addon.linearProbeStep(one, bank, labels, { data: Int32Array.from(rows), shape: [4] }, 1, 0)
  await addon.linearProbeStep(other, picked, pickedLabels, undefined, 1, 0)
  expect(await addon.linearProbeRead(one, ['head.1.weight'])).toEqual(await addon.linearProbeRead(other, ['head.1.weight']))
})

test.each([
  { features: [1, 3], labels: [0], code: 'ERR_CAE_SHAPE', says: 'at least 2 samples' },
  { features: [2, 4], labels: [0, 1], code: 'ERR_CAE_SHAPE', says: '[B, 3]' },
  { features: [2, 3], labels: [0, 1, 0], code: 'ERR_CAE_SHAPE', says: 'labels [2]' },
  { features: [2, 3], labels: [0, 2], code: 'ERR_CAE_DATA', says: '2 classes' },
  { features: [2, 3], labels: [-1, 0], code: 'ERR_CAE_DATA', says: '-1..0' },
])('refuses a step on %j', async ({ features, labels, code, says }) => {
  const probe = await makeProbe(3, 2)
  const x = { data: new Float32Array(features.reduce((a, b) => a * b)), shape: features }
  const step = addon.linearProbeStep(probe, x, { data: Int32Array.from(labels), shape: [labels.length] }, undefined, 1, 0)
  await expect(step).rejects.toMatchObject({ code, message: expect.stringContaining(says) })
})
