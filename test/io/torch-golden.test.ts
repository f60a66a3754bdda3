import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { openSafetensors, type SafetensorsFile } from '../../src/io/safetensors.js'
import { openTensorFile, type TensorFile } from '../../src/io/tensor-file.js'
import { openTorchFile, type TorchFile } from '../../src/io/torch-file.js'
import { sharedFile, unpackedArchive } from '../support/shared-data.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

/** A file whose bytes are a tensor of `golden`. */
async function inside(golden: SafetensorsFile, name: string): Promise<TorchFile> {
  const path = join(folder(), `${name}.pth`)
  await writeFile(path, (await golden.read(name)).data as Uint8Array)
  return openTorchFile(path)
}

async function expectSame(found: TensorFile, name: string, golden: SafetensorsFile, wanted: string): Promise<void> {
  const [got, want] = [await found.read(name), await golden.read(wanted)]
  expect({ name, dtype: got.dtype, shape: got.shape }).toEqual({ name, dtype: want.dtype, shape: want.shape })
  expect(Buffer.compare(bytesOf(got.data), bytesOf(want.data))).toBe(0)
}

const containers = sharedFile('golden/vit_pth_containers.safetensors')
;(containers ? describe : describe.skip)('files that torch.save wrote, against their tensors', () => {
  test.each(['zip.state_dict', 'zip.proto4', 'legacy.state_dict'])('%s, bit for bit', async (name) => {
    await using golden = await openSafetensors(containers ?? '')
    await using file = await inside(golden, name)
    const wanted = [...golden.tensors.keys()].filter((key) => /^expect\.(?!model\.)/.test(key))
    expect([...file.tensors.keys()].sort()).toEqual(wanted.map((key) => key.slice('expect.'.length)).sort())
    for (const key of wanted) await expectSame(file, key.slice('expect.'.length), golden, key)
  })

  test.each(['zip.checkpoint', 'legacy.checkpoint'])('%s with all that is beside the model', async (name) => {
    await using golden = await openSafetensors(containers ?? '')
    await using file = await inside(golden, name)
    for (const part of ['weight', 'bias']) await expectSame(file, `model.${part}`, golden, `expect.model.${part}`)
    expect(file.extras).toMatchObject({
      epoch: 7,
      best: 1.25,
      args: { lr: 0.001, model: 'vit', none: null, flag: true, big: 2 ** 40, neg: -5, s: 'é' },
      scaler: { scale: 65536, growth_interval: 2000 },
      optimizer: { param_groups: [{ weight_decay: 0.01, params: [0, 1] }] },
    })
  })

  test('300 tensors', async () => {
    await using golden = await openSafetensors(containers ?? '')
    await using file = await inside(golden, 'zip.many')
    expect(file.tensors.size).toBe(300)
    for (let i = 0; i < 300; i++) expect((await file.readFloat32(`k${i}`)).data).toEqual(Float32Array.of(i, i))
  })

  test('a path object is refused by its name', async () => {
    await using golden = await openSafetensors(containers ?? '')
    await expect(inside(golden, 'zip.must_refuse')).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringMatching(/names "pathlib.PosixPath"/),
    })
  })
})

const pickled = sharedFile('golden/dvae_pickled_modules.safetensors')
;(pickled ? describe : describe.skip)('whole pickled modules, against their tensors', () => {
  test.each([
    ['encoder', 'encoder_pkl_zip', { n_hid: 8, n_blk_per_group: 1, input_channels: 3, vocab_size: 16 }],
    ['decoder', 'decoder_pkl_legacy', { n_hid: 8, n_blk_per_group: 1, n_init: 8, output_channels: 3, vocab_size: 16 }],
  ])('the %s, bit for bit, and its sizes', async (part, name, sizes) => {
    await using golden = await openSafetensors(pickled ?? '')
    await using file = await inside(golden, name)
    const wanted = [...golden.tensors.keys()].filter((key) => key.startsWith(`${part}.`))
    expect(file.tensors.size).toBe(wanted.length)
    for (const key of wanted) await expectSame(file, key.slice(part.length + 1), golden, key)
    expect(file.extras).toMatchObject({ __class__: expect.stringMatching(new RegExp(`^dall_e.${part}.`)), ...sizes })
  })
})

/** What `expected.json` says of a tensor; sums are float64, numbers that are not finite are text. */
interface ExpectedTensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly sum: number | string
  readonly abssum: number | string
  readonly head: readonly (number | string)[]
}

interface ExpectedFile {
  readonly file: string
  readonly container: string
  readonly expect: 'import' | 'reject'
  readonly tensors?: Readonly<Record<string, ExpectedTensor>>
}

const dtypes: Readonly<Record<string, string>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  uint8: 'U8',
  bool: 'BOOL',
}

const checkpoints = unpackedArchive('data/checkpoints.tar.gz')
const root = join(checkpoints ?? '', 'checkpoints')
const expected: readonly ExpectedFile[] = checkpoints ? JSON.parse(readFileSync(join(root, 'expected.json'), 'utf8')).files : []
;(checkpoints ? describe : describe.skip)("other people's files", () => {
  test('are all there', () => {
    expect([expected.length, expected.filter((file) => file.expect === 'import').length]).toEqual([58, 41])
  })

  const readable = expected.filter((file) => file.expect === 'import').map((file) => [file.file, file] as const)
  test.each(readable)('%s: names, types, shapes and values', async (name, { container, tensors = {} }) => {
    await using file = await openTensorFile(join(root, name))
    expect(file.format).toBe(container === 'safetensors' ? container : `torch-${container}`)
    const names = [...file.tensors.keys()]
    expect(container === 'safetensors' ? names.sort() : names).toEqual(
      container === 'safetensors' ? Object.keys(tensors).sort() : Object.keys(tensors),
    )
    for (const [key, want] of Object.entries(tensors)) {
      expect({ key, ...file.tensors.get(key) }).toMatchObject({ key, dtype: dtypes[want.dtype], shape: want.shape })
      const values = await numbers(file, key)
      expect(values.slice(0, 4).map(asText)).toEqual(want.head.map(asText))
      expectSum(
        values.reduce((sum, value) => sum + value, 0),
        want.sum,
      )
      expectSum(
        values.reduce((sum, value) => sum + Math.abs(value), 0),
        want.abssum,
      )
    }
  })

  const refused = expected.filter((file) => file.expect === 'reject').map((file) => file.file)
  test.each(refused)('%s is refused, and nothing runs', async (name) => {
    for (const open of [openTensorFile, openTorchFile]) {
      await expect(open(join(root, name))).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringContaining(name) })
    }
    for (const place of ['.', root, join(root, 'made/hostile')]) expect(existsSync(join(place, 'PICKLE_RAN'))).toBe(false)
  })
})

async function numbers(file: TensorFile, name: string): Promise<number[]> {
  const isFloat = file.tensors.get(name)?.dtype.includes('F')
  const { data } = isFloat && file.tensors.get(name)?.dtype !== 'F64' ? await file.readFloat32(name) : await file.read(name)
  return Array.from(data as ArrayLike<number | bigint>, Number)
}

function expectSum(found: number, wanted: number | string): void {
  if (typeof wanted === 'string') expect(asText(found)).toBe(asText(wanted))
  else expect(Math.abs(found - wanted)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(wanted)))
}

/** Numbers that are not finite are spelt in the way of Python. */
function asText(value: number | string): string {
  return String(value).toLowerCase().replace('infinity', 'inf')
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
