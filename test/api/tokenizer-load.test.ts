import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { inspect } from '../../src/api/inspect.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import { findTokenizer } from '../../src/api/token-target.js'
import { Tokenizer } from '../../src/api/tokenizer.js'
import { Trainer } from '../../src/api/trainer.js'
import { dvaeTensors, lightTensors } from '../../src/import/tokenizer-tensors.js'
import { sha256File } from '../../src/io/checksum.js'
import { openSafetensors, type SafetensorsEntry, writeSafetensors } from '../../src/io/safetensors.js'
import type { TokenizerInput } from '../../src/methods/resolve.js'
import { loadAddon } from '../../src/native/load.js'
import type { F32Tensor } from '../../src/native/types.js'
import { expectClose } from '../support/expect-close.js'
import { dict, floats, int, torchZip } from '../support/make-torch.js'
import { runCli } from '../support/run-cli.js'
import { sharedFile, unpackedArchive } from '../support/shared-data.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyLight, tinyTokenizer } from '../support/tiny-tokenizer.js'

jest.setTimeout(60_000) // each takes about a second on a quiet machine

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)
const load = (path: string) => Tokenizer.load(path, { device: 'cpu' })

/** [1, 3, side, side], the input of the shared checkpoints' expected outputs. */
function sine(side: number): F32Tensor {
  return { data: Float32Array.from({ length: 3 * side ** 2 }, (_, i) => Math.sin(0.1 * i)), shape: [1, 3, side, side] }
}

/** The most probable code of every place. @param logits `[1, V, h, w]` */
function idsOf({ data, shape }: F32Tensor): number[] {
  const [, codes = 0, height = 0, width = 0] = shape
  const places = height * width
  return Array.from({ length: places }, (_, place) => {
    const row = Array.from({ length: codes }, (_code, v) => data[v * places + place] ?? 0)
    return row.indexOf(Math.max(...row))
  })
}

const pickled = sharedFile('golden/dvae_pickled_modules.safetensors')
;(pickled ? describe : describe.skip)("DALL-E's pickled modules, against the reference", () => {
  /** The golden's files under OpenAI's names; logits of the reference for its input. */
  async function written(...halves: readonly ('encoder' | 'decoder')[]) {
    await using golden = await openSafetensors(pickled ?? '')
    await mkdir(at('dall-e'))
    for (const half of halves) {
      const bytes = (await golden.read(half === 'encoder' ? 'encoder_pkl_zip' : 'decoder_pkl_legacy')).data as Uint8Array
      await writeFile(at('dall-e', `${half}.pkl`), bytes)
    }
    return { images: await golden.readFloat32('in.mapped'), logits: await golden.readFloat32('out.logits') }
  }

  test('a folder with both halves gives ids, logits and images', async () => {
    const { images, logits } = await written('encoder', 'decoder')
    await using tokenizer = await load(at('dall-e'))
    expect(tokenizer.config).toMatchObject({ vocabSize: 16, hiddenDim: 8, decoderInputDim: 8, blocksPerGroup: 1, averageDecay: 0 })
    const out = await tokenizer.forward({ images }, { schedule: { tau: 1, beta: 0 }, intermediates: true })
    const scale = Math.max(...logits.data.map(Math.abs))
    expectClose('logits', out['out/logits'], logits, 1e-5 * scale)
    const ids = await tokenizer.encode(images)
    expect([...ids.data]).toEqual(idsOf(logits))
    expect((await tokenizer.decode(ids)).shape).toEqual([1, 3, 16, 16])
  })

  test('the encoder alone gives the same ids, and says that it makes no images', async () => {
    const { images, logits } = await written('encoder')
    for (const path of [at('dall-e'), at('dall-e', 'encoder.pkl')]) {
      await using tokenizer = await load(path)
      expect([...(await tokenizer.encode(images)).data]).toEqual(idsOf(logits))
      const alone = { code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(/encoder alone.*no images[\s\S]*decoder\.pkl/) }
      await expect(tokenizer.decode({ data: Int32Array.of(1), shape: [1, 1, 1] })).rejects.toMatchObject(alone)
      await expect(tokenizer.reconstruct(images)).rejects.toMatchObject(alone)
      await expect(tokenizer.forward({ images }, { schedule: { tau: 1, beta: 0 } })).rejects.toMatchObject(alone)
      await expect(tokenizer.weights(['decoder.blocks.input.w'])).rejects.toMatchObject(alone)
      await expect(Trainer.create(tokenizer)).rejects.toMatchObject(alone)
      expect(tokenizer.tensors.filter(({ name }) => name.startsWith('decoder.'))).toEqual([])
    }
  })

  test('the encoder beside a decoder is taken alone where it is named itself', async () => {
    await written('encoder', 'decoder')
    await using tokenizer = await load(at('dall-e', 'encoder.pkl'))
    await expect(tokenizer.decode({ data: Int32Array.of(1), shape: [1, 1, 1] })).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
  })

  test('an encoder alone that is saved comes back as one, without invented weights', async () => {
    const { images, logits } = await written('encoder')
    await using tokenizer = await load(at('dall-e'))
    await tokenizer.save(at('own.safetensors'))
    await using file = await openSafetensors(at('own.safetensors'))
    expect([...file.tensors.keys()].every((name) => name.startsWith('encoder.'))).toBe(true)
    await using again = await load(at('own.safetensors'))
    expect([...(await again.encode(images)).data]).toEqual(idsOf(logits))
    await expect(again.reconstruct(images)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
    expect(await inspect(at('own.safetensors'))).toMatchObject({ kind: 'tokenizer', hasDecoder: false, uses: ['tokenizer'] })
  })

  test('is known to inspect, and can be the target of a run', async () => {
    await written('encoder', 'decoder')
    const found = await inspect(at('dall-e'))
    expect(found).toMatchObject({
      kind: 'tokenizer',
      origin: 'openai',
      method: 'dvae',
      title: "DALL-E's tokenizer",
      vocabSize: 16,
      downsampling: 8,
      hasDecoder: true,
      uses: ['tokenizer', 'reconstruct'],
      warnings: [],
    })
    await using whole = await load(at('dall-e'))
    expect(found.tensors).toBe(whole.tensors.length)
    const target = await findTokenizer(at('dall-e'))
    expect(target.facts).toEqual({ target: 'tokens', vocabSize: 16, downsampling: 8 })
    await using maker = await target.open(await loadAddon(), 'cpu')
    expect(maker.identity.tokenizer?.sha256).toBe(await sha256File(at('dall-e', 'encoder.pkl')))
    const { stdout, status } = await runCli(['inspect', at('dall-e')])
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /holds +DALL-E's tokenizer[\s\S]*codebook +16 codes[\s\S]*an id for 8x8 px[\s\S]*decoder +there[\s\S]*good for +tokenizer/,
    )
  })

  test('a decoder alone is refused, and so are two encoders', async () => {
    await written('decoder')
    for (const path of [at('dall-e'), at('dall-e', 'decoder.pkl')]) {
      await expect(load(path)).rejects.toMatchObject({
        code: 'ERR_CAE_CHECKPOINT',
        message: expect.stringMatching(/decoder of DALL-E's tokenizer alone, which makes no ids/),
      })
    }
    await using golden = await openSafetensors(pickled ?? '')
    for (const half of ['encoder', 'decoder']) {
      await writeFile(at('dall-e', `${half}.pkl`), (await golden.read('encoder_pkl_zip')).data as Uint8Array)
    }
    await expect(load(at('dall-e'))).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringMatching(/same half[\s\S]*encoder\.pkl.*decoder\.pkl/),
    })
  })
})

const archive = unpackedArchive('data/checkpoints.tar.gz')
;(archive ? describe : describe.skip)("other people's tokenizer files", () => {
  const made = (name: string) => join(archive ?? '', 'checkpoints/made', name)
  /** What the reference gave for `sine(32)`. */
  async function expected(
    name: string,
  ): Promise<{ readonly codes: number[]; readonly output_head: number[]; readonly output_sum: number }> {
    const { files } = JSON.parse(await readFile(join(archive ?? '', 'checkpoints/expected.json'), 'utf8'))
    return files.find(({ file }: { file: string }) => file === `made/${name}`).forward
  }

  test('encoder and decoder give what the reference gave', async () => {
    await mkdir(at('both'))
    for (const half of ['encoder', 'decoder']) await writeFile(at('both', `${half}.pkl`), await readFile(made(`dalle-style-${half}.pkl`)))
    await using tokenizer = await load(at('both'))
    const out = await tokenizer.forward({ images: sine(32) }, { schedule: { tau: 1, beta: 0 }, intermediates: true })
    const logits = out['out/logits'] as F32Tensor
    const wanted = await expected('dalle-style-encoder.pkl')
    expect(logits.shape).toEqual([1, 32, 4, 4])
    for (const [i, value] of wanted.output_head.entries()) expect(logits.data[i]).toBeCloseTo(value, 5)
    expect(logits.data.reduce((sum, value) => sum + value, 0)).toBeCloseTo(wanted.output_sum, 3)
    const { codes, output_head: stats } = await expected('dalle-style-decoder.pkl')
    const ids = await tokenizer.encode(sine(32))
    expect([...ids.data]).toEqual(codes)
    const { data } = await tokenizer.decode(ids)
    for (const [i, value] of stats.entries()) expect(data[i]).toBeCloseTo((1 / (1 + Math.exp(-value)) - 0.1) / 0.8, 5)
  })

  test('zip and legacy containers hold the same tokenizer', async () => {
    await using zip = await load(made('dalle-style-encoder.pkl'))
    await using legacy = await load(made('dalle-style-encoder-legacy.pkl'))
    expect(legacy.config).toEqual(zip.config)
    expect(await legacy.weights()).toEqual(await zip.weights())
    expect(await legacy.encode(sine(32))).toEqual(await zip.encode(sine(32)))
  })
})

/** Weights of a fresh tokenizer as others would have written them. */
async function foreign(config: TokenizerInput, prefix = ''): Promise<{ entries: SafetensorsEntry[]; weights: Record<string, F32Tensor> }> {
  await using tokenizer = await Tokenizer.create(config, { seed: 4, device: 'cpu' })
  const weights = await tokenizer.weights()
  return { weights, entries: Object.entries(weights).map(([name, tensor]) => ({ name: prefix + name, dtype: 'F32', ...tensor })) }
}

const light = { ...tinyLight, averageDecay: 0 } as const

describe('tokenizers by their tensors alone', () => {
  test.each<[what: string, config: TokenizerInput, prefix: string]>([
    ["DALL-E's in one state dict", { ...tinyTokenizer, averageDecay: 0 }, ''],
    ["DALL-E's with two blocks a group", { ...tinyTokenizer, averageDecay: 0, blocksPerGroup: 2, decoderInputDim: 32 }, 'state_dict.'],
    ["BEiT's light one", light, 'weights.'],
    ["BEiT's with one layer", { ...light, numLayers: 1 }, 'weights.'],
    ["lucidrains' light one", { ...light, layout: 'original', resBlocks: 2 }, 'weights.'],
    ["lucidrains' without residual blocks", { ...light, layout: 'original', resBlocks: 0 }, ''],
    ["lucidrains' with one layer of each", { ...light, layout: 'original', resBlocks: 1, numLayers: 1 }, 'weights.'],
    ["lucidrains' with one layer alone", { ...light, layout: 'original', resBlocks: 0, numLayers: 1 }, 'weights.'],
  ])('%s', async (_, config, prefix) => {
    const { entries, weights } = await foreign(config, prefix)
    await writeSafetensors(at('foreign.safetensors'), entries)
    await using tokenizer = await load(at('foreign.safetensors'))
    expect(await tokenizer.weights()).toEqual(weights)
    const { config: own } = tokenizer
    const table = 'codebookDim' in own ? lightTensors(own) : dvaeTensors(own)
    expect(Object.fromEntries(table)).toEqual(Object.fromEntries(tokenizer.tensors.map(({ name, shape }) => [name, shape])))
    expect(await inspect(at('foreign.safetensors'))).toMatchObject({ kind: 'tokenizer', hasDecoder: true, vocabSize: 12 })
  })

  test('the size of images is read from the options beside the weights', async () => {
    const { weights } = await foreign(light)
    const tensors = Object.entries(weights)
    const { tensor } = await import('../support/make-torch.js')
    const terms = tensors.map(([name, { shape, data }], key) => {
      const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1))
      return [name, tensor({ key: String(key), length: data.length, shape, strides })] as const
    })
    const storages = Object.fromEntries(tensors.map(([, { data }], key) => [String(key), floats(...data)]))
    const root = dict({ hparams: dict({ image_size: int(32) }), weights: dict(Object.fromEntries(terms)) })
    await writeFile(at('vae.pt'), torchZip(root, storages))
    await using tokenizer = await load(at('vae.pt'))
    expect(tokenizer.config.imageSize).toEqual([32, 32])
    expect(await tokenizer.weights()).toEqual(weights)
  })

  const spoiled: readonly [
    what: string,
    config: TokenizerInput,
    spoil: (entries: SafetensorsEntry[]) => SafetensorsEntry[],
    says: RegExp,
  ][] = [
    [
      'lacks a tensor',
      light,
      (entries) => entries.filter(({ name }) => name !== 'decoder.0.0.bias'),
      /\d+ of \d+ tensors match; it lacks decoder\.0\.0\.bias$/m,
    ],
    [
      'has one more',
      light,
      (entries) => [...entries, { name: 'extra.w', dtype: 'F32', shape: [1], data: new Float32Array(1) }],
      /nothing is known about its extra\.w/,
    ],
    [
      'has one of another shape',
      { ...tinyTokenizer, averageDecay: 0 },
      (entries) => entries.map((entry) => (entry.name === 'encoder.blocks.input.b' ? { ...entry, shape: [2, 2] } : entry)),
      /encoder\.blocks\.input\.b has the shape \[2, 2\], wanted is \[4\]/,
    ],
    [
      'claims sizes that nobody has',
      { ...tinyTokenizer, averageDecay: 0 },
      (entries) => entries.map((entry) => (entry.name === 'encoder.blocks.input.w' ? { ...entry, shape: [6, 1, 7, 14] } : entry)),
      /sizes that cannot be made here/,
    ],
    [
      'claims a network of gigabytes',
      { ...tinyTokenizer, averageDecay: 0 },
      (entries) =>
        entries.map((entry) =>
          entry.name === 'encoder.blocks.input.w' ? { ...entry, shape: [4096, 1, 1, 7], data: new Float32Array(4096 * 7) } : entry,
        ),
      /of 86 tensors match; .* and \d+ more/,
    ],
  ]
  test.each(spoiled)('one that %s is refused with the report of its keys', async (_, config, spoil, says) => {
    const { entries } = await foreign(config)
    await writeSafetensors(at('spoiled.safetensors'), spoil(entries))
    const refused = { code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(says) }
    await expect(load(at('spoiled.safetensors'))).rejects.toMatchObject(refused)
    await expect(inspect(at('spoiled.safetensors'))).rejects.toMatchObject(refused)
  })

  test('an encoder alone becomes whole when it is given the rest', async () => {
    const { entries, weights } = await foreign({ ...tinyTokenizer, averageDecay: 0, decoderInputDim: 128 })
    await writeSafetensors(
      at('half.safetensors'),
      entries.filter(({ name }) => name.startsWith('encoder.')),
    )
    await using tokenizer = await load(at('half.safetensors'))
    const ids = { data: Int32Array.of(1), shape: [1, 1, 1] }
    await expect(tokenizer.decode(ids)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
    expect(await tokenizer.loadWeights(weights)).toMatchObject({ missing: [], unused: [] })
    expect((await tokenizer.decode(ids)).shape).toEqual([1, 3, 8, 8])
    expect(await tokenizer.weights()).toEqual(weights)
  })

  test('anything else is refused by its name', async () => {
    await using model = await ContextAutoencoder.create({ preset: 'cae-nano', imageSize: 16 }, { device: 'cpu' })
    await model.save(at('model.safetensors'))
    await expect(load(at('model.safetensors'))).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringMatching(/not of a tokenizer that is known here[\s\S]*DALL-E's encoder\.pkl/),
    })
  })
})
