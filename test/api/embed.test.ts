import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { embed } from '../../src/api/embed.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import type { Dataset } from '../../src/data/dataset.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { colouredImages } from '../support/labelled-images.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'

const folder = temporaryFolder()
const images: Dataset = {
  ...colouredImages({ length: 7, classes: 3, size: 16, seed: 1, noise: 0.5 }),
  name: (index) => `image ${index}.png`,
}
const options = { encodeBatch: 3 }

let model: ContextAutoencoder
beforeAll(async () => {
  model = await ContextAutoencoder.create({ ...tinyModel, imageSize: 16 })
})
afterAll(() => model.dispose())

/** All tokens of one image, in one array a token. */
async function tokensOf(index: number): Promise<Float32Array[]> {
  const { data, shape } = await model.encoder.encode(await images.get(index))
  const [, count = 0, dim = 0] = shape
  return Array.from({ length: count }, (_, token) => data.subarray(token * dim, (token + 1) * dim))
}

function expectClose(got: Float32Array, wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length)
  for (const [i, value] of wanted.entries()) expect(Math.abs((got[i] ?? Number.NaN) - value)).toBeLessThan(1e-5)
}

test.each(['cls', 'avg', 'patches'] as const)('gives the %s features of every image, in its row', async (feature) => {
  const { features, labels, names, badImages } = await embed(model.encoder, images, { ...options, feature })
  expect(features.shape).toEqual(feature === 'patches' ? [7, 4, 16] : [7, 16])
  expect([...labels]).toEqual([0, 1, 2, 0, 1, 2, 0])
  expect(names[6]).toBe('image 6.png')
  expect(badImages).toEqual([])
  const size = features.data.length / 7
  for (const index of [0, 4, 6]) {
    const [cls = new Float32Array(), ...patches] = await tokensOf(index)
    const mean = [...cls].map((_, d) => patches.reduce((sum, patch) => sum + (patch[d] ?? 0), 0) / patches.length)
    const wanted = { cls: [...cls], avg: mean, patches: patches.flatMap((patch) => [...patch]) }[feature]
    expectClose(features.data.subarray(index * size, (index + 1) * size), wanted)
  }
})

test('writes safetensors with labels, and the names beside it', async () => {
  const out = join(folder(), 'deep/er/features.safetensors')
  const { namesFile, shape } = await embed(model.encoder, images, { ...options, out })
  expect(shape).toEqual([7, 16])
  await using file = await openSafetensors(out)
  expect(await file.readFloat32('features')).toEqual((await embed(model.encoder, images, options)).features)
  expect([...(await file.read('labels')).data]).toEqual([0, 1, 2, 0, 1, 2, 0])
  expect(file.metadata).toMatchObject({ feature: 'cls', classes: '["class 0","class 1","class 2"]' })
  const lines = (await readFile(namesFile, 'utf8')).trimEnd().split('\n')
  expect(lines).toHaveLength(7)
  expect(JSON.parse(lines[4] ?? '')).toEqual({ row: 4, name: 'image 4.png', label: 1, class: 'class 1' })
})

test('writes .npy', async () => {
  const out = join(folder(), 'features.npy')
  await embed(model.encoder, images, { ...options, feature: 'patches', out })
  const bytes = await readFile(out)
  expect(bytes.subarray(0, 128).toString('latin1')).toContain("'shape': (7, 4, 16)")
  const { features } = await embed(model.encoder, images, { ...options, feature: 'patches' })
  expect(bytes.subarray(128).equals(Buffer.from(features.data.buffer))).toBe(true)
  expect(await folder.list()).toEqual(['features.names.jsonl', 'features.npy'])
})

test.each([[[0, 1]], [[2, 3, 4, 5]], [[6]]])('rows stay with their images where %j are bad', async (bad) => {
  const some: Dataset = { ...images, get: (index) => (bad.includes(index) ? Uint8Array.of(9) : images.get(index)) }
  const whole = await embed(model.encoder, images, options)
  const out = join(folder(), 'features.safetensors')
  const { badImages, namesFile } = await embed(model.encoder, some, { ...options, maxBadFraction: 1, out })
  expect(badImages.map(({ index }) => index)).toEqual(bad)
  await using file = await openSafetensors(out)
  const { data } = await file.readFloat32('features')
  for (let row = 0; row < 7; row++) {
    const wanted = bad.includes(row) ? Array(16).fill(Number.NaN) : [...whole.features.data.subarray(row * 16, (row + 1) * 16)]
    expect(
      [...data.subarray(row * 16, (row + 1) * 16)].every((value, d) => Object.is(value, wanted[d]) || Math.abs(value - wanted[d]) < 1e-5),
    ).toBe(true)
  }
  const lines = (await readFile(namesFile, 'utf8')).trimEnd().split('\n')
  expect(lines.flatMap((line) => (JSON.parse(line).error ? [JSON.parse(line).row] : []))).toEqual(bad)
})

test('without classes there are no labels in the file', async () => {
  const out = join(folder(), 'features.safetensors')
  const { labels } = await embed(model.encoder, { length: 2, get: images.get }, { out })
  expect([...labels]).toEqual([-1, -1])
  await using file = await openSafetensors(out)
  expect([...file.tensors.keys()]).toEqual(['features'])
})

test.each([
  ['an unknown ending', { out: 'features.csv' }, /features\.csv[\s\S]*\.safetensors or \.npy/],
  ['a misspelt option', { feture: 'cls' }, /feture[\s\S]*feature/],
  ['a wrong feature', { feature: 'mean' }, /cls[\s\S]*avg[\s\S]*patches/],
])('refuses %s', async (_, wrong, says) => {
  await expect(embed(model.encoder, images, wrong as object)).rejects.toMatchObject({
    code: 'ERR_CAE_OPTION',
    message: expect.stringMatching(says),
  })
})

test('an abort leaves no file behind', async () => {
  const controller = new AbortController()
  const reason = Object.assign(new Error('enough'), { code: 'ENOSPC' })
  const wanted = embed(model.encoder, images, {
    ...options,
    out: join(folder(), 'features.npy'),
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  })
  await expect(wanted).rejects.toBe(reason)
  expect(await folder.list()).toEqual([])
})
