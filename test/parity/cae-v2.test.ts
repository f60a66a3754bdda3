import { ContextAutoencoder } from '../../src/api/model.js'
import { Trainer } from '../../src/api/trainer.js'
import { fromCaeNaming, toCaeNaming } from '../../src/import/cae-names.js'
import { openSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import type { CAEConfigInput } from '../../src/methods/cae.js'
import type { F32Tensor, U8Tensor } from '../../src/native/types.js'
import { tokensFrom } from '../support/dense.js'
import { expectClose } from '../support/expect-close.js'
import { sharedFile } from '../support/shared-data.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

/** Of golden/cae_v2.json. */
const config: CAEConfigInput = {
  imageSize: 32,
  patchSize: 8,
  embedDim: 16,
  depth: 1,
  numHeads: 2,
  regressorDepth: 1,
  decoderDim: 24,
  decoderHeads: 3,
  dropPath: 0,
  target: 'latents',
  latentDim: 8,
  decoderDepth: 0,
  alignWeight: 0,
  maskShape: 'random', // masks are given: how others would be drawn does not matter
  maskCount: 5,
}

/** The golden file's tensors by key, and its weights as a file under the names of the authors' second code. */
async function golden() {
  const path = sharedFile('golden/cae_v2.safetensors')
  if (path === undefined) return undefined
  await using file = await openSafetensors(path)
  const tensors = new Map<string, F32Tensor>()
  for (const [key, { dtype }] of file.tensors) if (dtype === 'F32') tensors.set(key, await file.readFloat32(key))
  const weights = `${folder()}/weights.safetensors`
  const params = [...tensors].filter(([key]) => key.startsWith('param/'))
  await writeSafetensors(
    weights,
    params.map(([key, { data, shape }]) => ({ name: key.slice('param/'.length), dtype: 'F32', data, shape })),
  )
  const get = (key: string): F32Tensor => tensors.get(key) ?? { data: new Float32Array(), shape: [-1] }
  const mask = (await file.read('in/mask')) as U8Tensor
  return { tensors, get, weights, batch: { images: get('in/image'), latents: get('in/features'), mask } }
}

async function modelOf(weights: string): Promise<ContextAutoencoder> {
  const model = await ContextAutoencoder.create(config, { device: 'cpu', seed: 9 })
  expect(await model.loadWeights(weights)).toMatchObject({ missing: ['encoder.pos_embed'], unused: [] })
  return model
}

const norm = ['pretext_neck.norm.weight', 'pretext_neck.norm.bias']

test('CAE v2: predictions, latents, loss and every gradient against the authors’ code', async () => {
  const v2 = await golden()
  if (!v2) return
  await using model = await modelOf(v2.weights)
  const got = await model.forward(v2.batch, { intermediates: true, gradients: true })
  // The file's latent_predict lies behind the shared norm, although its description says before any.
  const normed = got['mid/decoder_norm'] ?? v2.get('nothing')
  expectClose('latent_predict', tokensFrom(normed, 1 + 11), v2.get('out/latent_predict'), 1e-5)
  expect(got['mid/latent_pred']?.shape).toEqual([2, 5, 24])
  expectClose('normalised', got['out/normalised'], v2.get('out/normalised'), 1e-5)
  expectClose('labels_normalised', got['out/labels_normalised'], v2.get('out/labels_normalised'), 1e-5)
  for (const name of ['out/loss', 'out/loss_main'])
    expectClose(name, got[name], { ...v2.get('out/loss'), shape: got[name]?.shape ?? [] }, 1e-5)
  expect(got['out/cosine']?.data[0]).toBeCloseTo(1 - (got['out/loss']?.data[0] ?? Number.NaN), 6)

  const ours = fromCaeNaming('B')
  const wanted = [...v2.tensors].filter(([key]) => key.startsWith('grad/'))
  expect(wanted).toHaveLength(50)
  for (const [key, want] of wanted) expectClose(key, got[`grad/${ours(key.slice('grad/'.length))}`], want, 1e-5)
  expect(Object.keys(got).filter((key) => key.startsWith('grad/'))).toHaveLength(wanted.length + norm.length)
  for (const name of norm) expect(got[`grad/${name}`]?.data.every((value) => value === 0)).toBe(true)
})

test('all tensors have names in the authors’ second code, and the regressor’s norm stays as it is', async () => {
  const v2 = await golden()
  if (!v2) return
  await using model = await modelOf(v2.weights)
  const theirs = toCaeNaming('B')
  const names = model.tensors.map(({ name }) => `param/${theirs(name)}`).filter((name) => name !== 'param/encoder.pos_embed')
  expect(names.sort()).toEqual([...v2.tensors.keys()].filter((key) => key.startsWith('param/')).sort())

  const before = await model.weights(norm)
  await using trainer = await Trainer.create(model, { lr: 1e-3 })
  const losses: number[] = []
  for (let step = 0; step < 20; step++) losses.push((await trainer.step(v2.batch)).values.loss ?? Number.NaN)
  expect(losses[0]).toBeCloseTo(v2.get('out/loss').data[0] ?? Number.NaN, 5)
  expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] ?? 0))
  expect(await model.weights(norm)).toEqual(before)
})
