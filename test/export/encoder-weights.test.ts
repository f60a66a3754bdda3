import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportModel } from '../../src/api/export.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'

const folder = temporaryFolder()

let model: ContextAutoencoder
beforeAll(async () => {
  model = await ContextAutoencoder.create({ ...tinyModel, imageSize: [16, 24] })
})
afterAll(() => model.dispose())

test('timm: joined biases with zeros for the key, LayerScale by its name there', async () => {
  const { files } = await exportModel(model.encoder, { format: 'timm', out: folder() })
  expect(files.map((file) => file.slice(folder().length + 1))).toEqual(['model.safetensors', 'config.json'])
  await using file = await openSafetensors(join(folder(), 'model.safetensors'))
  const weights = await model.weights()
  const { data } = await file.readFloat32('blocks.1.attn.qkv.bias')
  expect(data.subarray(0, 16)).toEqual(weights['encoder.blocks.1.attn.q_bias']?.data)
  expect(data.subarray(16, 32)).toEqual(new Float32Array(16))
  expect(data.subarray(32)).toEqual(weights['encoder.blocks.1.attn.v_bias']?.data)
  expect((await file.readFloat32('blocks.0.ls2.gamma')).data).toEqual(weights['encoder.blocks.0.gamma_2']?.data)
  expect([...file.tensors.keys()].filter((name) => /q_bias|v_bias|gamma_/.test(name))).toEqual([])
  expect(JSON.parse(await readFile(join(folder(), 'config.json'), 'utf8'))).toMatchObject({
    model_args: { img_size: [16, 24], patch_size: 8, embed_dim: 16, depth: 2, num_heads: 2, init_values: 0.1 },
  })
})

test('transformers: the projection cut in three, no key bias, and everything that BeitModel must know', async () => {
  await exportModel(model.encoder, { format: 'huggingface', out: folder() })
  await using file = await openSafetensors(join(folder(), 'model.safetensors'))
  const { data } = (await model.weights())['encoder.blocks.0.attn.qkv.weight'] ?? { data: new Float32Array() }
  const at = 'encoder.layer.0.attention.attention'
  for (const [part, name] of ['query', 'key', 'value'].entries()) {
    expect((await file.readFloat32(`${at}.${name}.weight`)).data).toEqual(data.slice(part * 256, (part + 1) * 256))
  }
  expect(file.tensors.has(`${at}.key.bias`)).toBe(false)
  expect(file.tensors.has('embeddings.position_embeddings')).toBe(true)
  expect(JSON.parse(await readFile(join(folder(), 'config.json'), 'utf8'))).toMatchObject({
    model_type: 'beit',
    image_size: [16, 24],
    hidden_size: 16,
    intermediate_size: 64,
    layer_norm_eps: 1e-6,
    layer_scale_init_value: 0.1,
    use_absolute_position_embeddings: true,
    use_relative_position_bias: false,
  })
  expect(JSON.parse(await readFile(join(folder(), 'preprocessor_config.json'), 'utf8'))).toMatchObject({
    size: { height: 16, width: 24 },
    image_mean: [0.485, 0.456, 0.406],
  })
  expect(await readFile(join(folder(), 'README.md'), 'utf8')).toContain('16x24 pixels')
})

test("cae: every tensor of the model, by the authors' names, which load as they are", async () => {
  const out = join(folder(), 'made', 'here')
  await exportModel(model, { format: 'cae', out })
  await using loaded = await ContextAutoencoder.load(join(out, 'model.safetensors'), { device: 'cpu' })
  expect(await loaded.weights()).toEqual(await model.weights())
})

test.each([
  ['an unknown format', { format: 'onxx' }, /onxx[\s\S]*onnx/],
  ['no folder', { format: 'onnx', out: '' }, /out is missing/],
  ['an encoder where the whole model is wanted', { format: 'cae' }, /whole model[\s\S]*ContextAutoencoder/],
])('refuses %s', async (_, wrong, says) => {
  const options = { out: folder(), ...wrong } as Parameters<typeof exportModel>[1]
  await expect(exportModel(model.encoder, options)).rejects.toMatchObject({ code: 'ERR_CAE_OPTION', message: expect.stringMatching(says) })
})

test('a timm model cannot have other norms', async () => {
  await using other = await ContextAutoencoder.create({ ...tinyModel, layerNormEps: 1e-5 })
  const wanted = exportModel(other.encoder, { format: 'timm', out: folder() })
  await expect(wanted).rejects.toMatchObject({ code: 'ERR_CAE_OPTION', message: expect.stringContaining('layerNormEps is 0.00001') })
  expect(await folder.list()).toEqual([])
})

test.each(['timm', 'huggingface', 'onnx', 'cae'] as const)('%s: a folder that cannot be made is an error with a code', async (format) => {
  await writeFile(join(folder(), 'file'), '')
  const wanted = exportModel(model, { format, out: join(folder(), 'file', 'below') })
  await expect(wanted).rejects.toMatchObject({ code: 'ERR_CAE_OUTPUT', message: expect.stringContaining('below') })
})
