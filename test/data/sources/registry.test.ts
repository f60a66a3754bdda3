import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { openData } from '../../../src/data/sources/registry.js'
import { drawImage, encodeImage } from '../../support/images.js'
import { writeImageTable } from '../../support/parquet.js'
import { writeTar } from '../../support/tar.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder()
const cacheBefore = process.env.XDG_CACHE_HOME

beforeEach(async () => {
  process.env.XDG_CACHE_HOME = join(folder(), 'cache')
  const image = await encodeImage(drawImage(1), 'png')
  for (const name of ['photos/cat', 'shards', 'tables/data', 'mixed', 'tar.tar']) await mkdir(join(folder(), name), { recursive: true })
  await writeFile(join(folder(), 'photos/cat/a.png'), image)
  await writeFile(join(folder(), 'photos/cat/b.png'), image)
  await writeTar(join(folder(), 'shards/x-0.tar'), [['a.png', image]])
  await writeTar(join(folder(), 'shards/x-1.tar'), [
    ['b.png', image],
    ['c.png', image],
  ])
  await writeTar(join(folder(), 'mixed/x.tar'), [
    ['b.png', image],
    ['c.png', image],
  ])
  await writeFile(join(folder(), 'mixed/a.png'), image)
  await writeFile(join(folder(), 'tar.tar/a.png'), image)
  await writeImageTable(join(folder(), 'tables/data/train-00000-of-00001.parquet'), { images: [{ bytes: image, path: null }] })
  await writeFile(join(folder(), 'list.txt'), 'photos/cat/a.png\nphotos/cat/b.png\n')
  await writeFile(join(folder(), 'list.csv'), 'path,label\nphotos/cat/a.png,3\n')
  await writeFile(join(folder(), 'a-images-idx3-ubyte'), Buffer.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]))
})

afterEach(() => {
  if (cacheBefore === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = cacheBefore
})

test.each([
  ['photos', 2],
  ['photos/**/*.png', 2],
  ['photos/cat/a.png', 1],
  ['shards/x-0.tar', 1],
  ['shards/x-{0..1}.tar', 3],
  ['shards/*.tar', 3],
  ['shards', 3],
  ['mixed', 1],
  ['tar.tar', 1],
  ['tables', 1],
  ['tables/data', 1],
  ['tables/data/*.parquet', 1],
  ['tables/data/train-00000-of-00001.parquet', 1],
  ['list.txt', 2],
  ['list.csv', 1],
  ['a-images-idx3-ubyte', 1],
])('%s is recognised', async (path, length) => {
  const set = await openData(join(folder(), path))
  expect(set.length).toBe(length)
  expect(await set.get(0)).toBeDefined()
})

test('indices go to the cache folder, never beside the data', async () => {
  const before = (await folder.list()).filter((name) => name !== 'cache')
  await openData(join(folder(), 'shards'))
  expect((await folder.list()).filter((name) => name !== 'cache')).toEqual(before)
  expect(await folder.list()).toContain('cache')
})

test('a compressed shard is refused with what to do', async () => {
  await writeFile(join(folder(), 'x.tar.gz'), Buffer.from([0x1f, 0x8b, 8, 0]))
  await expect(openData(join(folder(), 'x.tar.gz'))).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/compressed by gzip[\s\S]*gunzip/),
  })
})
