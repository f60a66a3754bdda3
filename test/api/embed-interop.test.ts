import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

import { embed } from '../../src/api/embed.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import { colouredImages } from '../support/labelled-images.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'

const folder = temporaryFolder()
const script = join(__dirname, '../interop/features_read.py')
const python = process.env.CAE_PYTHON ?? 'python3'
const hasReaders = spawnSync(python, ['-c', 'import numpy, safetensors']).status === 0
if (!hasReaders) {
  process.stderr.write(
    `\n!! SKIPPED: NumPy and safetensors reading features (${python} lacks them; set CAE_PYTHON to one that has them)\n\n`,
  )
}

const readsThem = hasReaders ? test : test.skip
readsThem('NumPy and safetensors read what embed writes', async () => {
  await using model = await ContextAutoencoder.create({ ...tinyModel, imageSize: 16 })
  const images = colouredImages({ length: 5, classes: 2, size: 16, seed: 1, noise: 0.5 })
  const npy = join(folder(), 'patches.npy')
  const safetensors = join(folder(), 'cls.safetensors')
  await embed(model.encoder, images, { feature: 'patches', out: npy })
  await embed(model.encoder, images, { out: safetensors })
  const { stdout, stderr, status } = spawnSync(python, [script, npy, safetensors], { encoding: 'utf8' })
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
  const found = JSON.parse(stdout)
  const sum = async (feature: 'cls' | 'patches') =>
    (await embed(model.encoder, images, { feature })).features.data.reduce((total, value) => total + value, 0)
  expect(found[npy]).toMatchObject({ shape: [5, 4, 16], dtype: 'float32' })
  expect(found[npy].sum).toBeCloseTo(await sum('patches'), 3)
  expect(found[safetensors]).toMatchObject({
    shape: [5, 16],
    dtype: 'float32',
    labels: [0, 1, 0, 1, 0],
    metadata: { format: 'pt', feature: 'cls', classes: '["class 0","class 1"]' },
  })
  expect(found[safetensors].sum).toBeCloseTo(await sum('cls'), 3)
})
