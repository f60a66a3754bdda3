import { join } from 'node:path'

import { type ImportInput, importFields } from '../../src/config/import.js'
import { resolveFields } from '../../src/config/resolve.js'
import { openEncoderFile } from '../../src/import/open-encoder.js'
import { unpackedArchive } from '../support/shared-data.js'

const root = unpackedArchive('data/checkpoints.tar.gz')
const given = (values: ImportInput = {}) => resolveFields(importFields, [{ values }]).values

/** Of all these files: 32 pixels, patches of 8, two layers of width 16 with two heads. */
const sizes = { imageSize: [32, 32], patchSize: 8, embedDim: 16, depth: 2, numHeads: 2, mlpRatio: 2 }
const plain = {
  positions: 'learned',
  relativePositions: 'none',
  keyBias: true,
  patchBias: true,
  inputNorm: false,
  outputNorm: 'tokens',
  layerScaleInit: 0,
}
const beit = { ...plain, positions: 'none', relativePositions: 'per-block', keyBias: false, layerScaleInit: 0.1 }

const known: readonly [file: string, origin: string, method: string, architecture: object, more: ImportInput][] = [
  ['hf-vit-random/model.safetensors', 'huggingface', 'not known', { ...plain, layerNormEps: 1e-12 }, {}],
  ['hf-vitmae-random/model.safetensors', 'huggingface', 'mae', { ...plain, layerNormEps: 1e-12 }, {}],
  ['hf-dinov2-random/model.safetensors', 'huggingface', 'dinov2', { ...plain, layerScaleInit: 0.1, layerNormEps: 1e-6 }, {}],
  ['hf-beit-random/pytorch_model.bin', 'huggingface', 'beit', { ...beit, layerNormEps: 1e-12 }, {}],
  ['timm-vit-random.safetensors', 'timm', 'not known', plain, { numHeads: 2 }],
  ['timm-beit-random.pth', 'official', 'beit', { ...beit, outputNorm: 'mean' }, {}],
  ['mae-style-random.pth', 'official', 'mae', plain, { numHeads: 2 }],
  ['mocov3-style-random.pth.tar', 'official', 'mocov3', plain, { numHeads: 2 }],
  ['dino-style-random.pth', 'official', 'dino', plain, { numHeads: 2 }],
  ['vit-random-half.pth', 'timm', 'not known', plain, { numHeads: 2 }],
  ['vit-random-bf16.safetensors', 'timm', 'not known', plain, { numHeads: 2 }],
]

test.each(known)('%s is known by its names and shapes', async (name, origin, method, architecture, more) => {
  if (root === undefined) return
  await using file = await openEncoderFile(join(root, 'checkpoints/made', name), given(more))
  expect({ origin: file.origin.origin, method: file.origin.method }).toEqual({ origin, method })
  expect(file.config).toMatchObject({ ...sizes, ...architecture })
  expect(file.report).toMatchObject({ missing: [], unexpected: [], reshaped: [] })
})

const strangers: readonly [file: string, what: RegExp][] = [
  ['real/resnet20-cifar10.th', /residual convolutional network/],
  ['real/lpips-v0.1-alex.pth', /LPIPS/],
  ['real/lpips-v0.1-squeeze.pth', /LPIPS/],
  ['real/lpips-v0.1-vgg.pth', /LPIPS/],
  ['real/burn-empty.pt', /no vision transformer/],
  ['real/burn-checkpoint.pt', /no vision transformer that is known here: its tensors are/],
  ['real/burn-multi_layer.safetensors', /no vision transformer that is known here/],
  ['real/burn-broken.pt', /./],
  ['real/candle-test_with_key.pt', /no vision transformer/],
  ['made/views-shared-storage.pth', /no vision transformer/],
  ['made/dalle-style-encoder.pkl', /discrete VAE/],
  ['made/hostile/trunc-zip.pth', /./],
  ['made/hostile/malicious-reduce.pth', /./],
]

test.each(strangers)('%s is refused, saying why', async (name, what) => {
  if (root === undefined) return
  await expect(openEncoderFile(join(root, 'checkpoints', name), given())).rejects.toMatchObject({
    code: 'ERR_CAE_CHECKPOINT',
    message: expect.stringMatching(what),
  })
})

test('heads that nothing tells must be given', async () => {
  if (root === undefined) return
  const path = join(root, 'checkpoints/made/timm-vit-random.safetensors')
  await expect(openEncoderFile(path, given())).rejects.toMatchObject({
    code: 'ERR_CAE_OPTION',
    message: expect.stringMatching(/give numHeads/),
  })
  await expect(openEncoderFile(path, given({ numHeads: 3 }))).rejects.toMatchObject({
    code: 'ERR_CAE_OPTION',
    message: expect.stringMatching(/does not divide the width 16/),
  })
})
