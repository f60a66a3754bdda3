import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ContextAutoencoder } from '../../src/api/model.js'
import { Tokenizer } from '../../src/api/tokenizer.js'
import { train } from '../../src/api/train.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { drawImage } from '../support/images.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyRun } from '../support/tiny-run.js'
import { tinyTokenizer } from '../support/tiny-tokenizer.js'

jest.setTimeout(60_000)

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

async function saveTokenizer(name: string, seed: number): Promise<string> {
  await using tokenizer = await Tokenizer.create(tinyTokenizer, { seed, device: 'cpu' })
  await tokenizer.save(at(name))
  return at(name)
}

async function trained(options: TrainOptions): Promise<ContextAutoencoder> {
  return (await train(options)).model
}

const lines = async (run: string) =>
  (await readFile(at(run, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('predicts the ids of a tokenizer, in half the steps and the rest as in all of them', async () => {
  const target = { tokenizer: await saveTokenizer('tokenizer.safetensors', 3) }
  const whole = await trained(tinyRun(at('whole'), { target }))
  expect(whole.config).toMatchObject({ target: 'tokens', vocabSize: 12 })
  const metrics = await lines('whole')
  expect(metrics).toHaveLength(8)
  for (const { loss_main: loss, mlm_acc: accuracy } of metrics) {
    expect(loss).toBeGreaterThan(0)
    expect(loss).toBeLessThan(2 * Math.log(12))
    expect(accuracy).toBeGreaterThanOrEqual(0)
  }
  const config = JSON.parse(await readFile(at('whole', 'config.json'), 'utf8'))
  expect(config.tokenizer).toEqual({ path: target.tokenizer, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })

  const stopping = new AbortController()
  const run = train(tinyRun(at('halves'), { target, signal: stopping.signal }))
  const reading = (async () => {
    for await (const event of run) if (event.type === 'step' && event.step === 4) stopping.abort(new Error('half'))
  })()
  await expect(Promise.all([run, reading])).rejects.toThrow('half')
  const halves = await trained(tinyRun(at('halves'), { target, resume: 'auto' }))
  expect(await halves.weights()).toEqual(await whole.weights())
  await Promise.all([halves.dispose(), whole.dispose()])
})

test('a resume with another tokenizer is refused', async () => {
  const target = { tokenizer: await saveTokenizer('tokenizer.safetensors', 3) }
  await (await trained(tinyRun(at('run'), { target, steps: 4 }))).dispose()
  const other = { tokenizer: await saveTokenizer('other.safetensors', 4) }
  await expect(train(tinyRun(at('run'), { target: other, steps: 4, resume: 'auto' }))).rejects.toMatchObject({
    code: 'ERR_CAE_OPTION',
    message: expect.stringContaining('the tokenizer of `target`'),
  })
})

test('pictures are drawn by the tokenizer, of the hidden patches and of all of them', async () => {
  const path = await saveTokenizer('tokenizer.safetensors', 3)
  await using tokenizer = await Tokenizer.load(path, { device: 'cpu' })
  await using model = await trained(tinyRun(at('run'), { target: { tokenizer: path } }))
  const images = [drawImage(1, 36, 32), drawImage(2, 36, 32)]
  for (const how of ['masked', 'full'] as const) {
    const made = await model.reconstruct(images, { path: how, tokenizer })
    expect(made.images.shape).toEqual([2, 3, 32, 32])
    expect(made.accuracy).toBeGreaterThanOrEqual(0)
    expect(made.accuracy).toBeLessThanOrEqual(1)
    expect(made.psnr).toBeGreaterThan(3)
    expect(made.mask === null).toBe(how === 'full')
  }
  await expect(model.reconstruct(images)).rejects.toMatchObject({
    code: 'ERR_CAE_OPTION',
    message: expect.stringContaining('Tokenizer.load'),
  })
})

test.each([
  ['a word', 'tokens', /target is 'tokens'[\s\S]*tokenizer:/],
  ['an empty object', {}, /expected \{ tokenizer: path \}/],
  ['a path where nothing is', { tokenizer: '/no/such/tokenizer' }, /\/no\/such\/tokenizer/],
])('refuses %s for a target', async (_, target, says) => {
  await expect(train(tinyRun(at('run'), { target } as object))).rejects.toMatchObject({ message: expect.stringMatching(says) })
  expect(await folder.list()).toEqual([])
})

test('a Context Autoencoder is no tokenizer', async () => {
  await using model = await ContextAutoencoder.create({ preset: 'cae-nano' })
  await model.save(at('model.safetensors'))
  await expect(train(tinyRun(at('run'), { target: { tokenizer: at('model.safetensors') } }))).rejects.toMatchObject({
    code: 'ERR_CAE_CHECKPOINT',
  })
})
