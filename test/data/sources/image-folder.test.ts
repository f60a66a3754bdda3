import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { imageFolder } from '../../../src/data/sources/image-folder.js'
import { openData } from '../../../src/data/sources/registry.js'
import { SortedNames } from '../../../src/data/sources/sorted-names.js'
import { turnsDuring } from '../../support/event-loop.js'
import { drawImage, encodeImage } from '../../support/images.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder()
const jpegStart = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1])

async function make(files: readonly string[], content: Uint8Array | string = ''): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(join(folder(), file)), { recursive: true })
    await writeFile(join(folder(), file), content)
  }
}

async function list(options = {}) {
  const set = await imageFolder(folder(), options)
  return {
    ...set,
    names: set.paths.map((path) => path.slice(folder().length + 1)),
    labels: set.paths.map((_, index) => set.label?.(index)),
  }
}

test('direct sub-folders are classes, by the order of their names, however deep their images lie', async () => {
  await make(['dog/b.jpg', 'dog/a.jpg', 'cat/deep/er/c.png', 'Zebra/z.webp', 'empty/readme.txt'])
  const set = await list()
  expect(set.names).toEqual(['Zebra/z.webp', 'cat/deep/er/c.png', 'dog/a.jpg', 'dog/b.jpg'])
  expect(set.classes).toEqual(['Zebra', 'cat', 'dog'])
  expect(set.labels).toEqual([0, 1, 2, 2])
  expect(set.notes).toEqual(['no class for empty: no image in there'])
  expect(await set.get(1)).toBe(join(folder(), 'cat/deep/er/c.png'))
  expect(set.name?.(1)).toBe(join(folder(), 'cat/deep/er/c.png'))
})

test('a flat folder has no classes', async () => {
  await make(['b.jpg', 'a.jpg', 'B.jpg', 'ä.jpg', '10.jpg', '9.jpg'])
  const set = await list()
  expect(set.names).toEqual(['10.jpg', '9.jpg', 'B.jpg', 'a.jpg', 'b.jpg', 'ä.jpg'])
  expect([set.classes, set.label, set.notes]).toEqual([undefined, undefined, []])
})

test('images both in the folder and in sub-folders: no classes, and a note says so', async () => {
  await make(['a.jpg', 'sub/b.jpg'])
  const set = await list()
  expect(set.classes).toBeUndefined()
  expect(set.notes).toEqual([expect.stringMatching(/1 images lie in .* itself and 1 in sub-folders/)])
})

test('labels: false makes no classes', async () => {
  await make(['cat/a.jpg'])
  expect((await list({ labels: false })).classes).toBeUndefined()
})

test('extensions in any case, files that begin like an image without extension, and nothing else', async () => {
  await make(['UPPER.JPG', 'a.TiFf', 'notes.txt', 'b.jpg.bak', 'Makefile'])
  await make(['photo'], jpegStart)
  expect((await list()).names).toEqual(['UPPER.JPG', 'a.TiFf', 'photo'])
})

test('empty files and formats that cannot be decoded are listed, so that they are told', async () => {
  await make(['empty.png', 'old.bmp', 'phone.heic'])
  expect((await list()).names).toEqual(['empty.png', 'old.bmp', 'phone.heic'])
})

test('hidden files and folders are left out', async () => {
  await make(['.hidden.jpg', '.git/a.jpg', 'a.jpg', 'x/.cache/b.jpg'])
  expect((await list()).names).toEqual(['a.jpg'])
})

test('links are followed, loops end, and every real folder is read once', async () => {
  await make(['a/1.jpg', 'b/2.jpg'])
  await symlink('..', join(folder(), 'a/up'))
  await symlink('../b', join(folder(), 'a/also-b'))
  await symlink('../a/1.jpg', join(folder(), 'b/link.jpg'))
  await symlink('nowhere.jpg', join(folder(), 'b/broken.jpg'))
  await symlink('self', join(folder(), 'self'))
  const set = await list()
  expect(set.names).toEqual(['a/1.jpg', 'a/also-b/2.jpg', 'a/also-b/broken.jpg', 'a/also-b/link.jpg'])
})

test.each([
  ['a missing folder', 'none', /cannot find the images: ENOENT.*none/s],
  ['a file', 'a.txt', /this is a file, not a folder/],
  ['an empty folder', 'empty', /no image in the folder: found no file at all/],
  ['a folder of other things', 'texts', /found 3 files, none of them an image: no extension, .json, .txt/],
])('%s is an error that says what was found', async (_, name, message) => {
  await make(['a.txt', 'texts/a.txt', 'texts/deep/b.json', 'texts/README'])
  await mkdir(join(folder(), 'empty'))
  await expect(imageFolder(join(folder(), name))).rejects.toMatchObject({ code: 'ERR_CAE_DATA', message: expect.stringMatching(message) })
})

const asUser = process.getuid?.() === 0 ? test.skip : test // root reads everything
asUser('a folder that cannot be read is an error that names it', async () => {
  await make(['a/1.jpg', 'locked/2.jpg'])
  await chmod(join(folder(), 'locked'), 0)
  await expect(imageFolder(folder())).rejects.toMatchObject({ code: 'ERR_CAE_DATA', message: expect.stringContaining('locked') })
  await chmod(join(folder(), 'locked'), 0o700)
})

test('can be aborted', async () => {
  await make(['a.jpg'])
  const reason = new Error('enough')
  await expect(imageFolder(folder(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('sorts as Array.sort does, whatever the number, with turns for others between', async () => {
  for (const length of [0, 1, 8192, 8193, 40_000]) {
    const starts = ['a', 'ä', '\ufb01', '\u{1f600}'] // the last two: by code units the other way round than by code points
    const strings = Array.from({ length }, (_, i) => `${starts[i % 4]}${(i * 7919) % 10_007}`)
    const names = new SortedNames()
    for (const name of strings) names.add(name)
    const sorted: string[] = []
    const turns = await turnsDuring(async () => {
      for await (const some of names.inOrder()) sorted.push(...some)
    })
    expect(sorted).toEqual([...strings].sort())
    expect(turns).toBeGreaterThanOrEqual(Math.floor(length / 8192))
  }
})

describe('openData', () => {
  test('takes a pattern, and says how many images lie there when none matches', async () => {
    await make(['2023/a.jpg', '2024/x/b.jpg', '2024/c.png', '2024/notes.txt'])
    const set = await openData(join(folder(), '2024/**/*.{jpg,png}'))
    expect([set.length, await set.get(0), await set.get(1)]).toEqual([2, join(folder(), '2024/c.png'), join(folder(), '2024/x/b.jpg')])
    expect(set.classes).toBeUndefined()
    await expect(openData(join(folder(), '*/*.gif'))).rejects.toMatchObject({
      code: 'ERR_CAE_DATA',
      message: expect.stringMatching(/no image matches the pattern; 3 images lie below/),
    })
  })

  test('a folder with a star in its name is a folder', async () => {
    await make(['holi*days/a.jpg'])
    expect((await openData(join(folder(), 'holi*days'))).length).toBe(1)
  })

  test('takes a data set as it is, but not an empty one', async () => {
    const image = await encodeImage(drawImage(1), 'png')
    const set = { length: 1, get: () => image }
    expect(await openData(set)).toBe(set)
    await expect(openData({ length: 0, get: () => image })).rejects.toMatchObject({ code: 'ERR_CAE_DATA' })
  })
})
