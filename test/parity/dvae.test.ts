import { Tokenizer } from '../../src/api/tokenizer.js'
import { Trainer } from '../../src/api/trainer.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import type { TokenizerInput } from '../../src/methods/resolve.js'
import { loadAddon } from '../../src/native/load.js'
import type { F32Tensor, I32Tensor } from '../../src/native/types.js'
import { expectClose } from '../support/expect-close.js'
import { sharedFile } from '../support/shared-data.js'

/** All tensors of a golden file; undefined, said aloud, where it is not there. */
async function golden(name: string): Promise<((key: string) => F32Tensor & { readonly keys: readonly string[] }) | undefined> {
  const path = sharedFile(`golden/${name}.safetensors`)
  if (path === undefined) return undefined
  await using file = await openSafetensors(path)
  const keys = [...file.tensors.keys()]
  const all = new Map<string, F32Tensor>()
  for (const key of keys) {
    const { data, shape } = await file.read(key)
    all.set(key, { data: Float32Array.from(data as ArrayLike<number | bigint>, Number), shape })
  }
  return (key) => ({ ...(all.get(key) ?? { data: new Float32Array(), shape: [-1] }), keys })
}

/** Compares with a tolerance relative to the tensor's largest absolute value (golden/README.md, Baselines). */
function expectNear(name: string, got: F32Tensor | I32Tensor | undefined, want: F32Tensor, relative: number): void {
  const scale = want.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const flat = want.shape.length === 0 ? { ...want, shape: got?.shape ?? [] } : want
  expectClose(name, got, flat, relative * scale)
}

const forward = 1e-5
const gradient = 5e-5

function weightsOf(read: NonNullable<Awaited<ReturnType<typeof golden>>>, prefix: string): Record<string, F32Tensor> {
  const names = read('').keys.filter((key) => key.startsWith(prefix))
  return Object.fromEntries(names.map((key) => [key.slice(prefix.length), read(key)]))
}

function expectGradients(read: NonNullable<Awaited<ReturnType<typeof golden>>>, got: Record<string, F32Tensor>): void {
  const wanted = read('').keys.filter((key) => key.startsWith('grad.'))
  expect(wanted.length).toBeGreaterThan(20)
  for (const key of wanted) expectNear(key, got[`grad/${key.slice(5)}`], read(key), gradient)
  expect(Object.keys(got).filter((key) => key.startsWith('grad/'))).toHaveLength(wanted.length)
}

const sum = ({ data }: F32Tensor): number => data.reduce((total, value) => total + value, 0)
const scalar = (tensor: F32Tensor | undefined): number => tensor?.data[0] ?? Number.NaN

describe("DALL-E's discrete VAE against the official modules", () => {
  const config: TokenizerInput = {
    preset: 'dvae-dalle',
    imageSize: [32, 24],
    hiddenDim: 8,
    decoderInputDim: 16,
    vocabSize: 32,
  }

  test('logits, ids, decoder and reconstruction', async () => {
    const read = await golden('dvae_small')
    if (!read) return
    await using tokenizer = await Tokenizer.create(config, { device: 'cpu' })
    await tokenizer.loadWeights(weightsOf(read, ''), { strict: false })
    const images = read('out.mapped')
    const got = await tokenizer.forward({ images }, { schedule: { tau: 1, beta: 0 }, intermediates: true })
    expectNear('logits', got['out/logits'], read('out.logits'), forward)
    const ids = await tokenizer.encode(images)
    expectNear('ids', ids, read('out.ids'), 0)
    expectNear('reconstruction', await tokenizer.decode(ids), read('out.reconstruction'), forward)
  })

  test('objective: codes, likelihood, KL, loss and all gradients with the noise given', async () => {
    const [small, read] = [await golden('dvae_small'), await golden('dvae_train_openai')]
    if (!small || !read) return
    await using tokenizer = await Tokenizer.create(config, { device: 'cpu' })
    await tokenizer.loadWeights(weightsOf(small, ''), { strict: false })
    const schedule = { tau: scalar(read('in.tau')), beta: scalar(read('in.beta')) }
    const batch = { images: small('out.mapped'), noise: read('in.gumbel') }
    const got = await tokenizer.forward(batch, { schedule, intermediates: true, gradients: true })
    expectNear('soft_one_hot', got['mid/soft_one_hot'], read('out.soft_one_hot'), forward)
    expectNear('stats', got['mid/stats'], read('out.stats'), forward)
    expectNear('nll_map', got['mid/fit_map'], read('out.nll_map'), forward)
    expectNear('kl_map', got['mid/kl_map'], read('out.kl_map'), forward)
    expectNear('loss', got['out/loss'], read('out.loss'), forward)
    const [images = 0] = small('out.mapped').shape
    expect(sum(got['mid/fit_map'] as F32Tensor) / images / scalar(read('out.recon'))).toBeCloseTo(1, 4)
    expect(sum(got['mid/kl_map'] as F32Tensor) / images / scalar(read('out.kl'))).toBeCloseTo(1, 4)
    expectGradients(read, got)
  })

  test('a training step has the loss and the gradient norm of the reference, whatever the threads', async () => {
    const [small, read] = [await golden('dvae_small'), await golden('dvae_train_openai')]
    if (!small || !read) return
    await using tokenizer = await Tokenizer.create(config, { device: 'cpu' })
    await tokenizer.loadWeights(weightsOf(small, ''), { strict: false })
    await using trainer = await Trainer.create(tokenizer, { clipNorm: 0 })
    const addon = await loadAddon()
    const schedule = { tau: scalar(read('in.tau')), beta: scalar(read('in.beta')) }
    const squares = read('')
      .keys.filter((key) => key.startsWith('grad.'))
      .reduce((total, key) => total + read(key).data.reduce((all, x) => all + x * x, 0), 0)
    for (const threads of [1, 2]) {
      addon.configure({ threads, deterministic: false })
      const { values } = await trainer.step({ images: small('out.mapped'), noise: read('in.gumbel') }, { schedule, lr: 0 })
      expect(values.loss).toBeCloseTo(scalar(read('out.loss')), 4)
      expect((values.grad_norm ?? 0) / Math.sqrt(squares)).toBeCloseTo(1, 4)
    }
  })
})

describe.each([
  ['dvae_discrete', false],
  ['dvae_discrete_hard', true],
] as const)('the light discrete VAE against BEiT’s copy: %s', (name, isHard) => {
  const config: TokenizerInput = {
    preset: 'light-beit',
    imageSize: 16,
    numLayers: 2,
    hiddenDim: 8,
    codebookDim: 6,
    vocabSize: 12,
    klWeight: 0.01,
    straightThrough: isHard,
    reconstructionLoss: isHard ? 'smooth-l1' : 'mse',
  }

  test('logits, ids, reconstruction, losses and all gradients', async () => {
    const read = await golden(name)
    if (!read) return
    await using tokenizer = await Tokenizer.create(config, { device: 'cpu' })
    await tokenizer.loadWeights(weightsOf(read, 'param.'))
    const images = { ...read('in.image') }
    const schedule = { tau: scalar(read('in.temp')) }
    const got = await tokenizer.forward({ images, noise: read('in.gumbel') }, { schedule, intermediates: true, gradients: true })
    expectNear('logits', got['out/logits'], read('out.logits'), forward)
    expectNear('soft_one_hot', got['mid/soft_one_hot'], read('out.soft_one_hot'), forward)
    expectNear('reconstruction', got['mid/reconstruction'], read('out.reconstruction'), forward)
    expectNear('recon_loss', got['out/recon'], read('out.recon_loss'), forward)
    expect(sum(got['mid/kl_map'] as F32Tensor) / scalar(read('out.kl_sum'))).toBeCloseTo(1, 4)
    expectNear('loss', got['out/loss'], read('out.loss'), forward)
    expectGradients(read, got)
    const ids = await tokenizer.encode(images)
    expectNear('ids', ids, read('out.ids'), 0)
    const decoded = read('out.decode_ids')
    const pixels = { ...decoded, data: decoded.data.map((x) => Math.min(1, Math.max(0, 0.5 * x + 0.5))) }
    expectNear('decode', await tokenizer.decode(ids), pixels, forward)
  })

  test('a training step sums the KL over all images, however they are shared out', async () => {
    const read = await golden(name)
    if (!read) return
    await using tokenizer = await Tokenizer.create(config, { device: 'cpu' })
    await tokenizer.loadWeights(weightsOf(read, 'param.'))
    await using trainer = await Trainer.create(tokenizer)
    const batch = { images: { ...read('in.image') }, noise: read('in.gumbel') }
    const addon = await loadAddon()
    for (const threads of [1, 2]) {
      addon.configure({ threads, deterministic: false })
      const { values } = await trainer.step(batch, { schedule: { tau: scalar(read('in.temp')) }, lr: 0 })
      expect(values.loss).toBeCloseTo(scalar(read('out.loss')), 4)
    }
  })
})
