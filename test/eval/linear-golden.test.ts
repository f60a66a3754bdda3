import { readFileSync } from 'node:fs'

import { ContextAutoencoder } from '../../src/api/model.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { loadAddon } from '../../src/native/load.js'
import type { F32Tensor } from '../../src/native/types.js'
import { sharedFile } from '../support/shared-data.js'

const path = sharedFile('golden/cae_eval.safetensors')
const ifShared = path === undefined ? test.skip : test

/** What the reference's linear tool makes of an encoder: feature, three steps on one batch, then logits of another with the running statistics. */
ifShared('a linear probe on an encoder trains and scores as the reference does', async () => {
  await using file = await openSafetensors(path ?? '')
  const { linear_trace: losses, linear_lars: lars } = JSON.parse(readFileSync((path ?? '').replace('.safetensors', '.json'), 'utf8'))
  await using model = await ContextAutoencoder.create({
    imageSize: 32,
    patchSize: 8,
    embedDim: 16,
    depth: 2,
    numHeads: 2,
    layerScaleInit: 0.1,
    decoderDim: 16,
    decoderHeads: 2,
    regressorDepth: 1,
    decoderDepth: 1,
  })
  const weights: Record<string, F32Tensor> = {}
  for (const name of file.tensors.keys()) {
    const own = /^linear\/param\/(?!head)(.+)/.exec(name)?.[1]
    if (own !== undefined) weights[`encoder.${own}`] = await file.readFloat32(name)
  }
  const { unused } = await model.loadWeights(weights, { strict: false })
  expect(unused).toEqual([])

  const feature = async (name: string): Promise<F32Tensor> => {
    const { data, shape } = await model.encoder.encode(await file.readFloat32(name))
    const [count = 0, tokens = 0, dim = 0] = shape
    const cls = Array.from({ length: count }, (_, image) => [...data.subarray(image * tokens * dim, (image * tokens + 1) * dim)])
    return { data: Float32Array.from(cls.flat()), shape: [count, dim] }
  }
  const addon = await loadAddon()
  const constants = { batchNormEps: 1e-6, batchNormMomentum: 0.1, momentum: lars.momentum, trust: lars.trust, initStd: 0.01 }
  const probe = await addon.createLinearProbe({ featureDim: 16, classes: 5, ...constants }, 0, 'cpu')
  const start = [await file.readFloat32('linear/param/head.1.weight'), await file.readFloat32('linear/param/head.1.bias')]
  await addon.linearProbeWrite(probe, ['head.1.weight', 'head.1.bias'], start)
  const labels = Int32Array.from((await file.read('in/label')).data, Number)
  const x = await feature('in/image')
  for (const wanted of losses) {
    const { loss } = await addon.linearProbeStep(probe, x, { data: labels, shape: [labels.length] }, undefined, lars.lr, lars.weight_decay)
    expect(Math.abs(loss - wanted)).toBeLessThan(1e-5)
  }
  const logits = await addon.linearProbeLogits(probe, await feature('in/image2'))
  const wanted = await file.readFloat32('linear/out/logits_eval_image2_after3')
  expect(logits.shape).toEqual(wanted.shape)
  for (const [i, value] of wanted.data.entries()) expect(Math.abs((logits.data[i] ?? Number.NaN) - value)).toBeLessThan(1e-5)
  await addon.dispose(probe)
})
