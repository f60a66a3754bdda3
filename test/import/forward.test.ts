import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { Encoder, type LoadEncoderOptions } from '../../src/api/encoder.js'
import { encoderOf } from '../../src/api/native-model.js'
import { createBatch } from '../../src/api/tensors.js'
import { encoderTensors } from '../../src/import/encoder-tensors.js'
import { multiply, pseudoInverse } from '../../src/import/resample/linear.js'
import { openSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import { openTensorFile } from '../../src/io/tensor-file.js'
import type { F32Tensor, ImageTensor } from '../../src/native/types.js'
import { dense, tokensFrom } from '../support/dense.js'
import { expectClose } from '../support/expect-close.js'
import { sharedFile, unpackedArchive } from '../support/shared-data.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

/** Class token and mean of the patches, as evaluations use them. */
async function features(encoder: Encoder, images: ImageTensor) {
  const { addon, handle, config } = encoderOf(encoder)
  await using batch = await createBatch(addon, { images }, config)
  return addon.modelFeatures(handle.get(), batch.get(), 'fp32')
}

describe('encoders of others give what their own libraries give', () => {
  const root = unpackedArchive('data/checkpoints.tar.gz')
  interface Forward {
    readonly output_shape: readonly number[]
    readonly output_head: readonly number[]
    readonly output_sum: number
  }
  const side = 32
  const images = { data: Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(0.1 * i)), shape: [1, 3, side, side] }

  type Output = (encoder: Encoder, tensor: (name: string) => Promise<F32Tensor>) => Promise<F32Tensor>
  const onClass =
    (head: string): Output =>
    async (encoder, tensor) =>
      dense((await features(encoder, images)).cls, await tensor(`${head}.weight`), await tensor(`${head}.bias`))
  const outputs: readonly [file: string, options: LoadEncoderOptions, output: Output][] = [
    ['hf-vit-random/model.safetensors', {}, onClass('classifier')],
    ['timm-vit-random.safetensors', { numHeads: 2 }, onClass('head')],
    ['hf-dinov2-random/model.safetensors', {}, (encoder) => encoder.encode(images)],
    [
      'hf-beit-random/pytorch_model.bin',
      {},
      async (encoder, tensor) =>
        dense(tokensFrom(await encoder.encode(images), 1), await tensor('lm_head.weight'), await tensor('lm_head.bias')),
    ],
    [
      'timm-beit-random.pth',
      {},
      async (encoder, tensor) =>
        dense((await features(encoder, images)).avg, await tensor('model.head.weight'), await tensor('model.head.bias')),
    ],
  ]

  test.each(outputs)('%s', async (name, options, output) => {
    if (root === undefined) return
    const path = join(root, 'checkpoints/made', name)
    const files: { file: string; forward?: Forward }[] = JSON.parse(readFileSync(join(root, 'checkpoints/expected.json'), 'utf8')).files
    const want = files.find(({ file }) => file === `made/${name}`)?.forward
    if (want === undefined) throw new Error(`expected.json has no output of ${name}`)
    await using file = await openTensorFile(path)
    await using encoder = await Encoder.load(path, { device: 'cpu', ...options })
    const got = await output(encoder, (tensor) => file.readFloat32(tensor))
    expect(got.shape).toEqual(want.output_shape)
    expectClose(
      name,
      { data: got.data.subarray(0, 8), shape: [want.output_head.length] },
      { data: want.output_head, shape: [want.output_head.length] },
      1e-5,
    )
    expect(Math.abs(got.data.reduce((sum, value) => sum + value, 0) - want.output_sum)).toBeLessThan(
      1e-5 * Math.max(1, got.data.length / 8),
    )
  })

  test.each([
    'mae-style-random.pth',
    'mocov3-style-random.pth.tar',
    'dino-style-random.pth',
    'vit-random-half.pth',
    'vit-random-bf16.safetensors',
    'hf-vitmae-random',
  ])('%s has the tensors that the native encoder wants', async (name) => {
    if (root === undefined) return
    await using encoder = await Encoder.load(join(root, 'checkpoints/made', name), { device: 'cpu', numHeads: 2 })
    const { addon, handle } = encoderOf(encoder)
    const native = addon.modelTensors(handle.get()).map((info) => [info.name.replace('encoder.', ''), info.shape])
    expect(Object.fromEntries(native)).toEqual(Object.fromEntries(encoderTensors(encoder.config)))
    const { data } = await encoder.encode(images)
    expect(data.every(Number.isFinite)).toBe(true)
  })
})

describe('golden models', () => {
  /** A golden file, and its weights written as a file of their own. */
  async function golden(name: string, keep: (name: string) => boolean = () => true, prefix = 'param.') {
    const path = sharedFile(`golden/${name}.safetensors`)
    if (path === undefined) return undefined
    await using file = await openSafetensors(path)
    const tensors = new Map<string, F32Tensor>()
    for (const [key, { dtype }] of file.tensors) if (dtype === 'F32') tensors.set(key, await file.readFloat32(key))
    const get = (key: string): F32Tensor => {
      const found = tensors.get(key)
      if (!found) throw new Error(`${name} has no ${key}`)
      return found
    }
    const params = [...tensors].filter(([key]) => key.startsWith(prefix) && keep(key.slice(prefix.length)))
    const weights = join(folder(), `${name}.safetensors`)
    await writeSafetensors(
      weights,
      params.map(([key, { data, shape }]) => ({ name: key.slice(prefix.length), dtype: 'F32', data, shape })),
    )
    return { get, path: weights, mask: file.tensors.has('in.mask') ? (await file.read('in.mask')).data : undefined }
  }

  /** Relative to the largest value, as the goldens are meant. */
  function expectNear(name: string, got: F32Tensor, want: F32Tensor) {
    const largest = want.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expectClose(name, got, want, 1e-5 * largest)
  }

  test('vit_tiny: tokens and logits of the class token', async () => {
    const model = await golden('vit_tiny')
    if (!model) return
    await using encoder = await Encoder.load(model.path, { device: 'cpu', numHeads: 2 })
    const images = model.get('in.image')
    expectNear('tokens', await encoder.encode(images), model.get('out.tokens'))
    const { cls } = await features(encoder, images)
    expectNear('logits', dense(cls, model.get('param.head.weight'), model.get('param.head.bias')), model.get('out.logits'))
  })

  test('vit_tiny_avgpool: logits of the mean of the patches', async () => {
    const model = await golden('vit_tiny_avgpool')
    if (!model) return
    await using encoder = await Encoder.load(model.path, { device: 'cpu', numHeads: 2 })
    const { avg } = await features(encoder, model.get('in.image'))
    expectNear('logits', dense(avg, model.get('param.head.weight'), model.get('param.head.bias')), model.get('out.logits'))
  })

  test('beit_finetune_tiny: both blocks and the logits', async () => {
    const images = { imageSize: [16, 12] as const, device: 'cpu' as const }
    const first = await golden('beit_finetune_tiny', (name) => !name.startsWith('blocks.1.'))
    if (!first) return
    await using shallow = await Encoder.load(first.path, images)
    expectNear('block 0', await shallow.encode(first.get('in.image')), first.get('out.block0'))
    const model = await golden('beit_finetune_tiny')
    if (!model) return
    await using encoder = await Encoder.load(model.path, images)
    expectNear('block 1', await encoder.encode(model.get('in.image')), model.get('out.block1'))
    const { avg } = await features(encoder, model.get('in.image'))
    expectNear('logits', dense(avg, model.get('param.head.weight'), model.get('param.head.bias')), model.get('out.logits'))
  })

  test('finetune_models: stored and relative positions together, and the probe of the class token', async () => {
    const isWeight = (name: string) => !/^(grad|logits|loss|features|rel_pos_index)/.test(name)
    const tuned = await golden('finetune_models', isWeight, 'ft.')
    if (!tuned) return
    await using encoder = await Encoder.load(tuned.path, { device: 'cpu' })
    expect(encoder.config).toMatchObject({ relativePositions: 'per-block', positions: 'learned', outputNorm: 'mean', numHeads: 2 })
    const { avg } = await features(encoder, tuned.get('x'))
    expectNear('logits', dense(avg, tuned.get('ft.head.weight'), tuned.get('ft.head.bias')), tuned.get('ft.logits'))
    const probed = await golden('finetune_models', isWeight, 'lin.')
    if (!probed) return
    await using frozen = await Encoder.load(probed.path, { device: 'cpu', numHeads: 2 })
    expectNear('features', (await features(frozen, probed.get('x'))).cls, probed.get('lin.features'))
  })

  test('beit_tiny: features with a shared table of relative positions', async () => {
    const model = await golden('beit_tiny')
    if (!model) return
    await using encoder = await Encoder.load(model.path, { device: 'cpu', imageSize: [16, 12] })
    expect(encoder.config).toMatchObject({ relativePositions: 'shared', positions: 'none', numHeads: 2 })
    const images = withMaskTokens(model.get('in.image'), model.mask ?? [], model.get)
    expectNear('features', await encoder.encode(images), model.get('out.features'))
  })

  /** Images whose hidden patches are projected onto the mask token: an encoder alone has none to put there. */
  function withMaskTokens(image: F32Tensor, mask: ArrayLike<number | bigint>, get: (key: string) => F32Tensor): F32Tensor {
    const [batch = 0, , height = 0, width = 0] = image.shape
    const [dim = 0, channels = 0, size = 0] = get('param.patch_embed.proj.weight').shape
    const kernel = get('param.patch_embed.proj.weight').data
    const length = channels * size * size
    const projection = Array.from({ length: dim }, (_, d) => Float64Array.from(kernel.subarray(d * length, (d + 1) * length)))
    const target = get('param.mask_token').data
    const bias = get('param.patch_embed.proj.bias').data
    const wanted = Array.from({ length: dim }, (_, d) => Float64Array.of((target[d] ?? 0) - (bias[d] ?? 0)))
    const patch = multiply(pseudoInverse(projection), wanted).map(([value]) => value ?? 0)
    const data = image.data.slice()
    const cols = width / size
    for (let i = 0; i < mask.length; i++) {
      if (!Number(mask[i])) continue
      const [b, place] = [Math.floor(i / (mask.length / batch)), i % (mask.length / batch)]
      for (let k = 0; k < length; k++) {
        const c = Math.floor(k / size ** 2)
        const y = Math.floor(place / cols) * size + (Math.floor(k / size) % size)
        const x = (place % cols) * size + (k % size)
        data[((b * channels + c) * height + y) * width + x] = patch[k] ?? 0
      }
    }
    return { data, shape: image.shape }
  }
})
