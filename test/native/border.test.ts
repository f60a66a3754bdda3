import { ContextAutoencoder } from '../../src/api/model.js'
import { Trainer } from '../../src/api/trainer.js'
import type { CAEConfigInput } from '../../src/methods/cae.js'
import { loadAddon } from '../../src/native/load.js'
import { runChild, world } from '../support/border-child.js'
import { tinyModel } from '../support/tiny-model.js'

/** Source of a worker thread, as an expression. */
const worker = (program: string) =>
  JSON.stringify(
    `const { makeWorld } = require(${world}); const { parentPort } = require('node:worker_threads'); (async () => { ${program} })()`,
  )

jest.setTimeout(60_000) // children load libtorch, on a machine that may be busy

describe('ends of processes and threads', () => {
  test('a process that forgot its model and trainer ends with 0', async () => {
    expect(await runChild(`const w = await makeWorld(); await w.step(0); console.log('done')`)).toBe('done')
  })

  test('process.exit during a step ends with 0', async () => {
    expect(
      await runChild(`const w = await makeWorld(64); w.step(0); w.step(1); setTimeout(() => { console.log('bye'); process.exit(0) }, 5)`),
    ).toBe('bye')
  })

  test('two workers at once get the numbers that one gets', async () => {
    const program = worker(`const w = await makeWorld(); await w.step(0); parentPort.postMessage((await w.step(1)).values.loss)`)
    const losses = await runChild(`
      const loss = () => new Promise((resolve, reject) => new Worker(${program}, { eval: true }).once('message', resolve).once('error', reject))
      console.log(JSON.stringify(await Promise.all([loss(), loss()])))`)
    const [first, second] = JSON.parse(losses)
    expect(first).toBeGreaterThan(0)
    expect(second).toBe(first)
  })

  test('workers terminated during a step leave the process alive, which goes on computing', async () => {
    const program = worker(`const w = await makeWorld(); parentPort.postMessage('running'); for (let n = 0; ; n++) await w.step(n)`)
    const output = await runChild(`
      for (let round = 0; round < 6; round++) {
        const one = new Worker(${program}, { eval: true })
        await new Promise((resolve) => one.once('message', resolve))
        await new Promise((resolve) => setTimeout(resolve, 3 * round))
        await one.terminate()
      }
      const w = await makeWorld()
      console.log((await w.step(0)).values.loss > 0)`)
    expect(output).toBe('true')
  })
})

const config: CAEConfigInput = { ...tinyModel, imageSize: 16, patchSize: 4, maskShape: 'random' }
/** AddressSanitizer wants malloc's own memory: there are no pools to count tensors in (scripts/sanitize.mjs). */
const isSanitized = process.env.CAE_TEST_ADDON !== undefined
const images = { data: new Float32Array(2 * 3 * 16 * 16), shape: [2, 3, 16, 16] }

describe('lifetimes', () => {
  test('disposing during a step lets the step finish, and later calls fail with a code', async () => {
    const model = await ContextAutoencoder.create(config, { device: 'cpu' })
    const trainer = await Trainer.create(model)
    const step = trainer.step({ images })
    await new Promise(setImmediate)
    const gone = [trainer.dispose(), model.dispose(), model.dispose()]
    await expect(step).resolves.toMatchObject({ skipped: false })
    await Promise.all(gone)
    await expect(trainer.step({ images })).rejects.toMatchObject({ code: 'ERR_CAE_DISPOSED' })
    await expect(model.encode(images)).rejects.toMatchObject({ code: 'ERR_CAE_DISPOSED' })
    await expect(model.forward({ images })).rejects.toMatchObject({ code: 'ERR_CAE_DISPOSED' })
  })

  test('what native code holds is counted, and nothing stays behind', async () => {
    const addon = await loadAddon()
    const before = addon.nativeUse()
    const model = await ContextAutoencoder.create(config, { device: 'cpu' })
    const trainer = await Trainer.create(model)
    await trainer.step({ images })
    const batch = await addon.createBatch(images, undefined, undefined, undefined)
    const held = addon.nativeUse()
    expect(held.handles).toBe(before.handles + 3)
    if (!isSanitized) {
      expect(held.cpuTensors).toBeGreaterThan(before.cpuTensors + 3)
      expect(held.cpuTensorBytes).toBeGreaterThan(before.cpuTensorBytes + images.data.byteLength)
    }
    await Promise.all([addon.dispose(batch), addon.dispose(batch), trainer.dispose(), model.dispose()])
    expect(addon.nativeUse()).toMatchObject({ handles: before.handles, cpuTensors: before.cpuTensors })
  })

  test('a model has one trainer at a time', async () => {
    await using model = await ContextAutoencoder.create(config, { device: 'cpu' })
    const first = await Trainer.create(model)
    await expect(Trainer.create(model)).rejects.toMatchObject({ code: 'ERR_CAE_BUSY' })
    await first.dispose()
    await using second = await Trainer.create(model)
    expect((await second.step({ images })).skipped).toBe(false)
  })

  test('a trainer that outlives its model’s handle goes on', async () => {
    const model = await ContextAutoencoder.create(config, { device: 'cpu' })
    await using trainer = await Trainer.create(model)
    const before = await trainer.step({ images })
    const after = trainer.step({ images })
    await model.dispose()
    expect((await after).values.loss).not.toBe(before.values.loss)
  })
})

describe('arguments', () => {
  const tensor = (data: Float32Array | Uint8Array | Int32Array, shape: number[]) => ({ data, shape })
  const mask = (hidden: number, length = 32) =>
    tensor(
      Uint8Array.from({ length }, (_, i) => Number(i % (length / 2) < hidden)),
      [2, length / 2],
    )

  test.each([
    ['images of another size', { images: tensor(new Float32Array(2 * 3 * 20 * 16), [2, 3, 20, 16]) }, /images/],
    ['one channel', { images: tensor(new Float32Array(2 * 16 * 16), [2, 1, 16, 16]) }, /images/],
    ['a shape that is not the data’s', { images: tensor(new Float32Array(7), [2, 3, 16, 16]) }, /images.*7/s],
    ['images of another type', { images: tensor(new Int32Array(2 * 3 * 16 * 16), [2, 3, 16, 16]) }, /images/],
    ['a mask for another grid', { images, mask: mask(3, 8) }, /mask/],
    ['a mask that hides nothing', { images, mask: mask(0) }, /mask/],
    ['a mask that hides all', { images, mask: mask(16) }, /mask/],
    ['a mask of another type', { images, mask: tensor(new Float32Array(32), [2, 16]) }, /mask/],
    [
      'rows that hide different numbers',
      {
        images,
        mask: tensor(
          Uint8Array.from({ length: 32 }, (_, i) => Number(i < 3)),
          [2, 16],
        ),
      },
      /mask/,
    ],
    ['ids for a mask of another size', { images, ids: tensor(new Int32Array(8), [2, 4]), mask: mask(3) }, /ids/],
  ])('%s are refused with ERR_CAE_SHAPE', async (_, batch, subject) => {
    await using model = await ContextAutoencoder.create(config, { device: 'cpu' })
    const forward = model.forward(batch as Parameters<typeof model.forward>[0])
    await expect(forward).rejects.toMatchObject({ code: 'ERR_CAE_SHAPE', message: expect.stringMatching(subject) })
  })

  test('token models want ids inside their vocabulary', async () => {
    await using model = await ContextAutoencoder.create({ ...config, target: 'tokens', vocabSize: 4 }, { device: 'cpu' })
    await expect(model.forward({ images })).rejects.toMatchObject({ code: 'ERR_CAE_SHAPE', message: expect.stringMatching(/token ids/) })
    const ids = tensor(new Int32Array(32).fill(4), [2, 16]) as { data: Int32Array; shape: number[] }
    await expect(model.forward({ images, ids })).rejects.toMatchObject({ code: 'ERR_CAE_SHAPE', message: expect.stringMatching(/0 to 3/) })
  })

  test('models of latents want one for every token', async () => {
    await using model = await ContextAutoencoder.create({ ...config, target: 'latents', latentDim: 4, decoderDepth: 0 }, { device: 'cpu' })
    const refused = (batch: object) => expect(model.forward({ images, ...batch })).rejects
    const latents = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)
    await refused({}).toMatchObject({ code: 'ERR_CAE_SHAPE', message: expect.stringMatching(/no latents/) })
    const wrong = { code: 'ERR_CAE_SHAPE', message: expect.stringMatching(/latents have the shape .*wants \[2, 17, 4\]/) }
    await refused({ latents: latents(2, 16, 4) }).toMatchObject(wrong)
    await refused({ latents: latents(2, 17, 5) }).toMatchObject(wrong)
    await refused({ latents: latents(1, 17, 4) }).toMatchObject({
      code: 'ERR_CAE_SHAPE',
      message: expect.stringMatching(/latents is .*wanted float32 \[2, 1 \+ N, C\]/),
    })
  })

  test('what is no handle, or a handle of another kind, is refused', async () => {
    const addon = await loadAddon()
    const batch = await addon.createBatch(images, undefined, undefined, undefined)
    const notAModel = [batch, {}, undefined, 7] as unknown as Parameters<typeof addon.modelTensors>[0][]
    for (const value of notAModel) expect(() => addon.modelTensors(value)).toThrow(expect.objectContaining({ code: 'ERR_CAE_INTERNAL' }))
    await addon.dispose(batch)
  })

  test('CUDA without CUDA is refused with ERR_CAE_DEVICE', async () => {
    const addon = await loadAddon()
    if (addon.version().cudaDevices > 0) return
    await expect(ContextAutoencoder.create(config, { device: 'cuda' })).rejects.toMatchObject({ code: 'ERR_CAE_DEVICE' })
  })
})
