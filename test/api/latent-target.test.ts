import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Encoder } from '../../src/api/encoder.js'
import { evaluate } from '../../src/api/evaluate.js'
import { importWeights } from '../../src/api/import.js'
import { inspect } from '../../src/api/inspect.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import { modelOf } from '../../src/api/native-model.js'
import { findTarget } from '../../src/api/run-target.js'
import { train } from '../../src/api/train.js'
import { importFields } from '../../src/config/import.js'
import { resolveFields } from '../../src/config/resolve.js'
import { timmLayout } from '../../src/import/layouts/timm.js'
import { openEncoderFile } from '../../src/import/open-encoder.js'
import { openSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { loadAddon } from '../../src/native/load.js'
import type { CollateSpec, F32Tensor } from '../../src/native/types.js'
import { dense } from '../support/dense.js'
import { expectClose } from '../support/expect-close.js'
import { drawnTensors, tinyVit, writeForeign } from '../support/foreign-file.js'
import { drawImage } from '../support/images.js'
import { colouredImages } from '../support/labelled-images.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'
import { tinyRun } from '../support/tiny-run.js'
import { drawnProjection, tinyClip, towerOutputs, writeTower } from '../support/tiny-tower.js'

jest.setTimeout(60_000)

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

async function tower(seed = 1, name = `tower-${seed}.safetensors`): Promise<{ readonly latents: string }> {
  await writeTower(at(name), { seed })
  return { latents: at(name) }
}

const { decoderDepth: _, ...model } = tinyModel // the preset's is put aside with latents
const run = (out: string, change: Partial<TrainOptions> = {}) => tinyRun(at(out), { model, ...change })

async function trained(options: TrainOptions): Promise<ContextAutoencoder> {
  return (await train(options)).model
}

const lines = async (out: string) =>
  (await readFile(at(out, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('a run', () => {
  test('learns the latents, in two parts as in one', async () => {
    const target = await tower()
    const steps = { steps: 60, lr: 2e-3, checkpointEvery: 7 }
    await using whole = await trained(run('whole', { target, ...steps }))
    expect(whole.config).toMatchObject({ target: 'latents', latentDim: towerOutputs, decoderDepth: 0, alignWeight: 0 })
    expect(whole.tensors.map(({ name }) => name).filter((name) => name.includes('decoder_blocks'))).toEqual([])
    const metrics = await lines('whole')
    expect(metrics).toHaveLength(60)
    for (const { loss, loss_main: main, cosine, ...others } of metrics) {
      expect(main).toBe(loss)
      expect(cosine).toBeCloseTo(1 - loss, 5)
      expect(others).not.toHaveProperty('loss_align')
      expect(others).not.toHaveProperty('mlm_acc')
    }
    const mean = (part: typeof metrics) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length
    expect(mean(metrics.slice(-8))).toBeLessThan(0.6 * mean(metrics.slice(0, 8)))
    const config = JSON.parse(await readFile(at('whole', 'config.json'), 'utf8'))
    expect(config.tower).toEqual({ path: target.latents, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })

    const stopping = new AbortController()
    const first = train(run('halves', { target, ...steps, signal: stopping.signal }))
    const reading = (async () => {
      for await (const event of first) if (event.type === 'step' && event.step === 23) stopping.abort(new Error('half'))
    })()
    await expect(Promise.all([first, reading])).rejects.toThrow('half')
    await using halves = await trained(run('halves', { target, ...steps, resume: 'auto' }))
    expect(await halves.weights()).toEqual(await whole.weights())
    const told = async (out: string) => (await lines(out)).map(({ step, loss, cosine, grad_norm }) => ({ step, loss, cosine, grad_norm }))
    expect(await told('halves')).toEqual(await told('whole'))
  })

  test('of accumulated parts and in bf16 learns too', async () => {
    const target = await tower()
    await using _ = await trained(run('run', { target, steps: 40, lr: 2e-3, microBatchSize: 2, precision: 'bf16' }))
    const [first, ...others] = await lines('run')
    expect(others.at(-1).loss).toBeLessThan(0.8 * first.loss)
  })

  test('goes on with the same tower wherever it lies, and with no other', async () => {
    await (await trained(run('run', { target: await tower(1), steps: 4 }))).dispose()
    const resumed = (target: TrainOptions['target']) => train(run('run', { target, steps: 4, resume: 'auto' }))
    await (await resumed(await tower(1, 'elsewhere.safetensors'))).model.dispose()
    await expect(resumed(await tower(2))).rejects.toMatchObject({
      code: 'ERR_CAE_OPTION',
      message: expect.stringContaining('the encoder of `target`'),
    })
    await expect(resumed(undefined)).rejects.toMatchObject({ code: 'ERR_CAE_OPTION' })
  })

  test('takes an encoder of our own, whose tokens are the latents', async () => {
    await using own = await ContextAutoencoder.create({ ...tinyModel, embedDim: 12 }, { seed: 3, device: 'cpu' })
    await own.save(at('own.safetensors'))
    await using student = await trained(run('run', { target: { latents: at('own.safetensors') }, steps: 2 }))
    expect(student.config).toMatchObject({ target: 'latents', latentDim: 12 })
  })

  test('leaves an encoder that loads, encodes and is evaluated, and no picture', async () => {
    const { model: whole, summary } = await train(run('run', { target: await tower() }))
    await using made = whole
    expect(summary.metrics).toMatchObject({ cosine: expect.any(Number) })
    await using loaded = await ContextAutoencoder.load(at('run'), { device: 'cpu' })
    const image = drawImage(1, 36, 32)
    expect(await loaded.encode(image)).toEqual(await made.encode(image))
    const data = colouredImages({ length: 12, classes: 2, size: 32, seed: 1, noise: 0.3 })
    const { accuracy } = await evaluate(loaded.encoder, { task: 'knn', train: data, test: data, k: 3 })
    expect(accuracy).toBeGreaterThan(0)
    expect(await inspect(at('run'))).toMatchObject({ origin: 'run', uses: expect.not.arrayContaining(['reconstruct']) })
    for (const path of ['masked', 'full'] as const) {
      await expect(loaded.reconstruct(image, { path })).rejects.toMatchObject({
        code: 'ERR_CAE_OPTION',
        message: expect.stringMatching(/latents, which are no pixels/),
      })
    }
    await expect(readFile(at('run', 'images', 'reconstruction.png'))).rejects.toThrow(/ENOENT/)
    expect((await readFile(at('run', 'images', 'loss.png'))).subarray(1, 4).toString()).toBe('PNG')
  })
})

describe('the latents', () => {
  const spec: CollateSpec = {
    ...{ seed: 3, epoch: 1, height: 32, width: 32, viewHeight: 24, viewWidth: 24, viewInterpolation: 'bicubic' },
    ...{ crop: 'random', scaleMin: 0.3, scaleMax: 1, ratioMin: 0.75, ratioMax: 4 / 3, resizeShort: 32, flip: 0.5 },
    ...{ interpolation: 'bicubic', mean: [0, 0, 0], std: [1, 1, 1], mask: null },
  }

  /** What a tower makes of two crops of ours, read back through a model that predicts it: on the order of the tokens, of length 1. */
  async function unitLatents(path: string, dim: number): Promise<F32Tensor> {
    const addon = await loadAddon()
    const samples = [1, 2].map((index) => ({ ...drawImage(index, 36, 32), index, label: -1 }))
    const maker = await (await findTarget({ latents: path }))?.open(addon, 'cpu')
    if (!maker) throw new Error('no tower')
    const bare = await addon.collate(samples, {
      ...spec,
      mask: { shape: 'random', gridHeight: 4, gridWidth: 4, count: 8, minBlock: 1, maxBlock: 8 },
    })
    const batch = await maker.complete(bare)
    await using model = await ContextAutoencoder.create(
      { ...tinyModel, decoderDepth: 0, target: 'latents', latentDim: dim },
      { device: 'cpu' },
    )
    const { handle } = modelOf(model)
    const options = { intermediates: false, gradients: false, dropPath: false, seed: 0, step: 0, schedule: {} }
    const out = await addon.modelForward(handle.get(), batch, options)
    const { mask } = await addon.readBatch(bare)
    await Promise.all([addon.dispose(bare), addon.dispose(batch), maker[Symbol.asyncDispose]()])
    const labels = out['out/labels_normalised']
    if (!labels || !mask) throw new Error('no latents')
    return inRasterOrder(labels, mask.data)
  }

  /** Class token and patches, out of class token, visible, hidden patches. */
  function inRasterOrder({ data, shape }: F32Tensor, mask: Uint8Array): F32Tensor {
    const [batch = 0, tokens = 0, dim = 0] = shape
    const out = new Float32Array(data.length)
    for (let b = 0; b < batch; b++) {
      const places = Array.from({ length: tokens - 1 }, (_, i) => i)
      const hidden = (place: number) => mask[b * (tokens - 1) + place] === 1
      const order = [0, ...places.filter((p) => !hidden(p)).map((p) => p + 1), ...places.filter(hidden).map((p) => p + 1)]
      order.forEach((place, from) => {
        out.set(data.subarray((b * tokens + from) * dim, (b * tokens + from + 1) * dim), (b * tokens + place) * dim)
      })
    }
    return { data: out, shape }
  }

  function unit({ data, shape }: F32Tensor): F32Tensor {
    const dim = shape.at(-1) ?? 1
    const norms = Array.from({ length: data.length / dim }, (_, row) => Math.hypot(...data.subarray(row * dim, (row + 1) * dim)))
    return { data: data.map((value, i) => value / (norms[Math.floor(i / dim)] ?? 1)), shape }
  }

  /** The same crops at the tower's size, by way of an encoder's public functions: normalised as the tower wants it. */
  async function views(): Promise<F32Tensor> {
    const addon = await loadAddon()
    const samples = [1, 2].map((index) => ({ ...drawImage(index, 36, 32), index, label: -1 }))
    const { mean, std } = tinyClip
    const batch = await addon.collate(samples, { ...spec, height: 24, width: 24, viewHeight: 0, viewWidth: 0, mean, std })
    const { images } = await addon.readBatch(batch)
    await addon.dispose(batch)
    return images as F32Tensor
  }

  test.each(['huggingface', 'openai'] as const)('of CLIP go through its projection: names of %s', async (names) => {
    await writeTower(at('clip.safetensors'), { names })
    await using encoder = await Encoder.load(at('clip.safetensors'), { device: 'cpu' })
    const bias = { data: new Float32Array(towerOutputs), shape: [towerOutputs] }
    const want = unit(dense(await encoder.encode(await views()), drawnProjection(), bias))
    const got = await unitLatents(at('clip.safetensors'), towerOutputs)
    expectClose('latents', got, want, 1e-5)

    await importWeights(at('clip.safetensors'), { out: at('imported') })
    expectClose('of the imported file', await unitLatents(at('imported'), towerOutputs), want, 1e-5)
    const report = JSON.parse(await readFile(at('imported', 'import.json'), 'utf8'))
    expect(report.keys).toMatchObject({ unused: [], unexpected: [], missing: [] })
    expect(report.keys.matched.at(-1)).toEqual({
      name: 'projection.weight',
      from: [names === 'openai' ? 'visual.proj' : 'visual_projection.weight'],
    })
    await using imported = await Encoder.load(at('imported'), { device: 'cpu' })
    expect(imported.config).toEqual(encoder.config)
  })

  test('of a projection that does not fit the encoder are refused', async () => {
    await writeTower(at('clip.safetensors'))
    await using file = await openEncoderFile(at('clip.safetensors'), resolveFields(importFields, []).values)
    expect(file.projection).toEqual({ from: 'visual_projection.weight', outputs: towerOutputs, isTransposed: false })
    await using plain = await openSafetensors(at('clip.safetensors'))
    const entries = [...plain.tensors.values()].map(({ name, shape }) => {
      const data = async () => (await plain.readFloat32(name)).data
      return { name, dtype: 'F32' as const, shape: name.startsWith('visual') ? [...shape].reverse() : shape, data }
    })
    await writeSafetensors(at('torn.safetensors'), entries)
    await expect(findTarget({ latents: at('torn.safetensors') })).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringMatching(/visual_projection\.weight has the shape \[64, 6\]/),
    })
  })
})

describe('is refused:', () => {
  test('a tower that cuts images into another grid, saying what fits', async () => {
    const target = await tower()
    const refused = train(run('run', { target, model: { ...model, imageSize: 48 } }))
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_CAE_OPTION',
      message: expect.stringMatching(
        /24x24 images into 4 x 4 patches, the model its 48x48 into 6 x 6[\s\S]*model\.imageSize 32x32[\s\S]*model\.patchSize 12[\s\S]*--image-size 36x36/,
      ),
    })
    expect(await folder.list()).toEqual(['tower-1.safetensors'])
  })

  test('a file that does not tell all about its encoder, saying how to tell it', async () => {
    await writeForeign(at('vit.safetensors'), drawnTensors(tinyVit()), timmLayout)
    await expect(findTarget({ latents: at('vit.safetensors') })).rejects.toMatchObject({
      code: 'ERR_CAE_OPTION',
      message: expect.stringMatching(/heads is not known[\s\S]*give numHeads to `cae-torch import .*vit\.safetensors --out DIR`/),
    })
    await importWeights(at('vit.safetensors'), { out: at('vit'), numHeads: 2 })
    expect((await findTarget({ latents: at('vit') }))?.facts).toMatchObject({ latentDim: 16, imageSize: [32, 32], patchSize: 8 })
  })

  test.each([
    ['nothing at the path', { latents: '/no/such/tower' }, /\/no\/such\/tower/],
    ['two targets at once', { latents: 'a', tokenizer: 'b' }, /expected \{ tokenizer: path \} or \{ latents: path \}/],
    ['a number', { latents: 3 }, /or \{ latents: path \}/],
  ])('%s', async (_, target, says) => {
    await expect(train(run('run', { target } as object))).rejects.toMatchObject({ message: expect.stringMatching(says) })
    expect(await folder.list()).toEqual([])
  })
})
