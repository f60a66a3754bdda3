import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import sharp from 'sharp'
import { loadAddon } from '../../../src/native/load.js'
import { unpackedArchive } from '../../support/shared-data.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

/** Photographs compared; CAE_TEST_PHOTOS=128 takes all of them. */
const count = Number(process.env.CAE_TEST_PHOTOS ?? 8)
const size = 224

const folder = temporaryFolder()
const script = join(__dirname, '../../interop/pillow_crop.py')
const python = process.env.CAE_PYTHON ?? 'python3'
const hasPillow = spawnSync(python, ['-c', 'import PIL']).status === 0
if (!hasPillow) {
  process.stderr.write(
    `\n!! SKIPPED: crops of photographs against Pillow (${python} cannot import PIL; set CAE_PYTHON to one that can)\n\n`,
  )
}
const photos = hasPillow ? unpackedArchive('data/coco128.tar') : undefined

;(photos === undefined ? test.skip : test)(
  'a random crop of a photograph is what Pillow makes of the same box',
  async () => {
    const addon = await loadAddon()
    const range = { scaleMin: 0.08, scaleMax: 1, ratioMin: 3 / 4, ratioMax: 4 / 3 }
    const none = {
      viewHeight: 0,
      viewWidth: 0,
      viewInterpolation: 'bicubic',
      resizeShort: size,
      flip: 0,
      interpolation: 'bicubic',
      mean: [0, 0, 0],
      std: [1, 1, 1],
      mask: null,
    } as const
    const root = photos ?? ''
    const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.jpg'))
    const index = []
    for (const [i, name] of names.sort().slice(0, count).entries()) {
      const { data, info } = await sharp(join(root, name)).toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true })
      const { width, height } = info
      const batch = await addon.collate([{ data, width, height, index: i, label: -1 }], {
        ...{ seed: 0, epoch: 0, height: size, width: size, crop: 'random' },
        ...range,
        ...none,
      })
      const { images } = await addon.readBatch(batch)
      await addon.dispose(batch)
      const ours = Uint8Array.from({ length: images.data.length }, (_, k) =>
        Math.round(255 * (images.data[(k % 3) * size * size + Math.floor(k / 3)] ?? 0)),
      )
      const [top = 0, left = 0, h = 0, w = 0] = (await addon.drawCrops({ crop: 'random', ...range }, width, height, 0, 0, [i])).data
      await writeFile(join(folder(), `${i}.rgb`), data)
      await writeFile(join(folder(), `${i}.ours`), ours)
      index.push({ source: `${i}.rgb`, ours: `${i}.ours`, width, height, box: [left, top, left + w, top + h], size: [size, size] })
    }
    await writeFile(join(folder(), 'index.json'), JSON.stringify(index))
    const { stdout, stderr, status } = spawnSync(python, [script, 'compare', folder()], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({ images: count, mean: 0, greatest: 0 })
  },
  60_000,
)
