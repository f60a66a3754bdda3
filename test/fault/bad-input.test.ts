import { chmod, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { trainCAE } from '../../src/api/train.js'
import { writeNewSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { drawImage, encodeImage } from '../support/images.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'
import { drawnImages, tinyRun } from '../support/tiny-run.js'

jest.setTimeout(30_000) // each takes well under a second on a quiet machine

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)
const isRoot = process.getuid?.() === 0

/** What is wrong, what the error must say of it, and what it makes the command line exit with. */
interface Row {
  readonly name: string
  readonly code: string
  readonly exit: number
  /** The subject and the way out. */
  readonly says: RegExp
  readonly options: () => Partial<TrainOptions> | Promise<Partial<TrainOptions>>
}

/** A mistake that a type would refuse, as plain JavaScript makes it. */
const untyped = (options: object) => options as Partial<TrainOptions>
const model = (change: object) => untyped({ model: { ...tinyModel, ...change } })

const rows: Row[] = [
  {
    name: 'a data folder that is not there',
    code: 'ERR_CAE_DATA',
    exit: 3,
    says: /nowhere/,
    options: () => ({ data: at('nowhere') }),
  },
  {
    name: 'an empty data folder',
    code: 'ERR_CAE_DATA',
    exit: 3,
    says: /no image in the folder: found no file[\s\S]*empty/,
    options: async () => {
      await mkdir(at('empty'))
      return { data: at('empty') }
    },
  },
  {
    name: 'a glob that matches nothing',
    code: 'ERR_CAE_DATA',
    exit: 3,
    says: /\*\.png/,
    options: () => ({ data: at('*.png') }),
  },
  {
    name: 'a folder in which every file is corrupt',
    code: 'ERR_CAE_DATA',
    exit: 3,
    says: /none of the \d+ images[\s\S]*\d\.png[\s\S]*maxBadFraction/,
    options: async () => {
      await mkdir(at('corrupt'))
      for (let n = 0; n < 10; n++) await writeFile(at('corrupt', `${n}.png`), `not an image ${n}`)
      return { data: at('corrupt') }
    },
  },
  {
    name: 'more corrupt images than maxBadFraction allows',
    code: 'ERR_CAE_DATA',
    exit: 3,
    says: /maxBadFraction 0\.05 allows 1[\s\S]*drawn-/,
    options: () => {
      const good = drawnImages(20)
      return { data: { ...good, get: (index) => (index % 4 === 0 ? Buffer.from('bad') : good.get(index)) }, batchSize: 20 }
    },
  },
  {
    name: 'a data set without images',
    code: 'ERR_CAE_DATA',
    exit: 3,
    says: /length 0/,
    options: () => ({ data: drawnImages(0) }),
  },
  {
    name: 'a batch larger than the data',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /batchSize 64 is more than the 22 images[\s\S]*at most 22/,
    options: () => ({ batchSize: 64 }),
  },
  {
    name: 'more images held out than there are',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /holdout 22 leaves none[\s\S]*at most 21/,
    options: () => ({ holdout: 22 }),
  },
  {
    name: 'a warm-up longer than the run',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /warmupEpochs/,
    options: () => ({ warmupEpochs: 20 }),
  },
  {
    name: 'an image size that patches do not divide',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /imageSize.*patchSize 8/,
    options: () => model({ imageSize: 33 }),
  },
  {
    name: 'a width that heads do not divide',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /numHeads.*embedDim 16/,
    options: () => model({ numHeads: 3 }),
  },
  { name: 'no patch hidden', code: 'ERR_CAE_OPTION', exit: 2, says: /maskCount/, options: () => model({ maskCount: 0 }) },
  { name: 'all patches hidden', code: 'ERR_CAE_OPTION', exit: 2, says: /maskCount[\s\S]*1 to 15/, options: () => model({ maskCount: 16 }) },
  {
    name: 'an unknown option',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /'batchsize'[\s\S]*'batchSize'/,
    options: () => untyped({ batchsize: 4 }),
  },
  { name: 'an unknown model option', code: 'ERR_CAE_OPTION', exit: 2, says: /depht[\s\S]*depth/, options: () => model({ depht: 4 }) },
  {
    name: 'an unknown preset',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /cae-nanno[\s\S]*cae-nano/,
    options: () => untyped({ model: 'cae-nanno' }),
  },
  {
    name: 'an unknown recipe',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /authors-300[\s\S]*authors-300e/,
    options: () => untyped({ recipe: 'authors-300' }),
  },
  { name: 'text where a number belongs', code: 'ERR_CAE_OPTION', exit: 2, says: /lr is 'fast'/, options: () => untyped({ lr: 'fast' }) },
  { name: 'no data at all', code: 'ERR_CAE_OPTION', exit: 2, says: /data is missing/, options: () => untyped({ data: undefined }) },
  {
    name: 'a CUDA device on a build or machine without one',
    code: 'ERR_CAE_DEVICE',
    exit: 4,
    says: /device 'cuda:97'[\s\S]*'cpu'/,
    options: () => ({ device: 'cuda:97' }),
  },
  {
    name: 'weights to start from that are not there',
    code: 'ERR_CAE_CHECKPOINT',
    exit: 6,
    says: /no such file[\s\S]*gone\.safetensors/,
    options: () => ({ initFrom: at('gone.safetensors') }),
  },
  {
    name: 'weights to start from that were cut short',
    code: 'ERR_CAE_CHECKPOINT',
    exit: 6,
    says: /cut short[\s\S]*cut\.safetensors/,
    options: async () => {
      const { bytes } = await writeNewSafetensors(at('cut.safetensors'), [
        { name: 'a', dtype: 'F32', shape: [9], data: new Float32Array(9) },
      ])
      await truncate(at('cut.safetensors'), bytes - 4)
      return { initFrom: at('cut.safetensors') }
    },
  },
  {
    name: 'weights to start from that are of something else',
    code: 'ERR_CAE_CHECKPOINT',
    exit: 6,
    says: /do not fit this model[\s\S]*foreign\.safetensors/,
    options: async () => {
      await writeSafetensors(at('foreign.safetensors'), [{ name: 'conv1.weight', dtype: 'F32', shape: [9], data: new Float32Array(9) }])
      return { initFrom: at('foreign.safetensors') }
    },
  },
  {
    name: 'an out that is a file',
    code: 'ERR_CAE_OUTPUT',
    exit: 4,
    says: /file/,
    options: async () => {
      await writeFile(at('file'), '')
      return { out: at('file') }
    },
  },
  {
    name: 'an out below a file',
    code: 'ERR_CAE_OUTPUT',
    exit: 4,
    says: /ENOTDIR[\s\S]*file\/run[\s\S]*not below a file/,
    options: async () => {
      await writeFile(at('file'), '')
      return { out: at('file', 'run') }
    },
  },
  {
    name: 'an out on a file system that takes no files',
    code: 'ERR_CAE_OUTPUT',
    exit: 4,
    says: /\/proc\/run[\s\S]*`out`/,
    options: () => ({ out: '/proc/run' }), // Linux: nobody can make a folder there
  },
  {
    name: 'an out that already has another run in it',
    code: 'ERR_CAE_OPTION',
    exit: 2,
    says: /another run[\s\S]*resume: 'auto'[\s\S]*another `out`/,
    options: async () => {
      await mkdir(at('other'))
      await writeFile(at('other', 'config.json'), '{"format":1}')
      return { out: at('other') }
    },
  },
  {
    name: 'a resume in a folder whose config.json is not of a run',
    code: 'ERR_CAE_CHECKPOINT',
    exit: 6,
    says: /not the configuration of a run[\s\S]*other\/config\.json/,
    options: async () => {
      await mkdir(at('other'))
      await writeFile(at('other', 'config.json'), '{"name":"my-app"}')
      return { out: at('other'), resume: 'auto' }
    },
  },
]

test.each(rows)('$name: $code, exit $exit, nothing half made', async ({ code, exit, says, options }) => {
  const change = await options()
  const before = await tree()
  const error = await trainCAE(tinyRun(at('run'), change)).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ name: 'CaeError', code, exitCode: exit, message: expect.stringMatching(says) })
  expect(await tree()).toEqual(before)
})

const asUser = isRoot ? test.skip : test
asUser('an out in a folder that may not be written: ERR_CAE_OUTPUT, exit 4', async () => {
  await mkdir(at('closed'))
  await chmod(at('closed'), 0o500)
  await expect(trainCAE(tinyRun(at('closed', 'run')))).rejects.toMatchObject({
    code: 'ERR_CAE_OUTPUT',
    exitCode: 4,
    message: expect.stringMatching(/EACCES[\s\S]*closed\/run[\s\S]*writable/),
  })
})

describe('odd input that is used', () => {
  test('one corrupt image in 100 is skipped, counted and listed', async () => {
    await mkdir(at('photos'))
    const encoded = await encodeImage(drawImage(1), 'png')
    for (let n = 0; n < 100; n++) await writeFile(at('photos', `${n}.png`), n === 42 ? encoded.subarray(0, 60) : encoded)
    const { model: trained, summary } = await trainCAE(
      tinyRun(at('run'), { data: at('photos'), steps: undefined, epochs: 1, batchSize: 10 }),
    )
    await trained.dispose()
    expect(summary).toMatchObject({ badImages: 1, steps: 10 })
    const line = JSON.parse(await readFile(at('run', 'bad-images.jsonl'), 'utf8'))
    expect(line).toMatchObject({ index: expect.any(Number), name: at('photos', '42.png'), code: 'ERR_CAE_BAD_IMAGE' })
  })

  test('images smaller than a patch are enlarged', async () => {
    const data = { length: 8, get: (index: number) => drawImage(index, 3, 2) }
    const { model: trained, summary } = await trainCAE(tinyRun(at('run'), { data, steps: 2 }))
    await trained.dispose()
    expect(summary).toMatchObject({ badImages: 0, metrics: { loss: expect.any(Number) } })
  })
})

/** Every path in the test's folder, to see that nothing was made. */
async function tree(): Promise<string[]> {
  return (await readdir(folder(), { recursive: true })).sort()
}
