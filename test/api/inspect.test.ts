import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from '../../src/api/inspect.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import { writeSafetensors } from '../../src/io/safetensors.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'

const folder = temporaryFolder()
const config = { ...tinyModel, imageSize: 16, patchSize: 4, maskShape: 'random' } as const

async function saved(overrides: object = {}): Promise<string> {
  const path = join(folder(), 'model.safetensors')
  await using model = await ContextAutoencoder.create({ ...config, ...overrides }, { device: 'cpu' })
  await model.save(path)
  return path
}

test('tells what saved weights are and what they are good for', async () => {
  const path = await saved()
  const inspection = await inspect(path)
  expect(inspection).toMatchObject({
    origin: 'weights',
    method: 'cae',
    step: null,
    config: { imageSize: [16, 16], patchSize: 4, embedDim: 16 },
  })
  expect(inspection.uses).toEqual(['embed', 'eval', 'reconstruct', 'init-from'])
  expect(await inspect(folder())).toEqual(inspection)
})

test('a model of normalised targets draws no pictures', async () => {
  expect((await inspect(await saved({ normalizeTarget: true }))).uses).toEqual(['embed', 'eval', 'init-from'])
})

test('an encoder alone is good for features', async () => {
  await using model = await ContextAutoencoder.create(config, { device: 'cpu' })
  const names = model.tensors.map(({ name }) => name).filter((name) => name.startsWith('encoder.'))
  const entries = Object.entries(await model.weights(names)).map(([name, tensor]) => ({ name, dtype: 'F32', ...tensor }) as const)
  const path = join(folder(), 'encoder.safetensors')
  await writeSafetensors(path, entries, { method: 'cae', config: JSON.stringify(model.config) })
  expect((await inspect(path)).uses).toEqual(['embed', 'eval'])
})

/** Ways to spoil a file, each with what the refusal says. */
const spoiled: [string, RegExp, (path: string) => Promise<void>][] = [
  ['cut off', /not a usable safetensors file/, async (path) => writeFile(path, (await readFile(path)).subarray(0, -5))],
  ['empty', /no file of tensors|empty/, async (path) => writeFile(path, '')],
  ['text', /no file of tensors|text/, async (path) => writeFile(path, 'these are no weights at all')],
  [
    'foreign',
    /no vision transformer that is known here: its tensors are w/,
    async (path) => void (await writeSafetensors(path, [{ name: 'w', dtype: 'F32', shape: [1], data: new Float32Array(1) }], {})),
  ],
  ['of another size', /do not fit|cannot be made/, (path) => rewrite(path, (text) => text.replace(/embedDim\\":16,/, 'embedDim\\":32,'))],
  ['of an unknown method', /cannot be made here/, (path) => rewrite(path, (text) => text.replace('"method":"cae"', '"method":"xyz"'))],
  ['a damaged checkpoint', /the checkpoint is damaged/, async () => writeFile(join(folder(), 'manifest.json'), '{"format": 1}')],
]

/** Changes the header's text, keeping its length. */
async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  const bytes = await readFile(path)
  const end = 8 + Number(bytes.readBigUInt64LE(0))
  const header = change(bytes.subarray(8, end).toString())
  await writeFile(path, Buffer.concat([bytes.subarray(0, 8), Buffer.from(header.padEnd(end - 8)), bytes.subarray(end)]))
}

test.each(spoiled)('a file that is %s is refused', async (_, what, spoil) => {
  const path = await saved()
  await spoil(path)
  await expect(inspect(path)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(what) })
})

test('a folder without weights is refused', async () => {
  await mkdir(join(folder(), 'empty'))
  await expect(inspect(join(folder(), 'empty'))).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
  await expect(inspect(join(folder(), 'nowhere'))).rejects.toMatchObject({
    code: 'ERR_CAE_CHECKPOINT',
    message: expect.stringContaining('nothing at this path'),
  })
})
