import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { replaceLink, writeFileAtomic, writeFileSynced } from '../../src/io/atomic-write.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const isRoot = process.getuid?.() === 0

describe('writeFileAtomic', () => {
  test('puts text, bytes and pieces in place, and and nothing beside', async () => {
    const path = join(folder(), 'file')
    const large = Buffer.alloc(3_000_001, 'abc')
    for (const content of ['text with ü', large, async (sink: { write(data: Uint8Array): Promise<void> }) => sink.write(large)]) {
      await writeFileAtomic(path, content)
      const bytes = await readFile(path)
      expect(bytes.equals(typeof content === 'string' ? Buffer.from(content) : large)).toBe(true)
    }
    expect(await folder.list()).toEqual(['file'])
  })

  test('takes a file that the disk begins with while more is coming', async () => {
    const path = join(folder(), 'large')
    const pieces = [1, 2, 3].map((mark) => Buffer.alloc(40 << 20, mark)) // each is more than the disk is told of at a time
    await writeFileAtomic(path, async (sink) => {
      for (const piece of pieces) await sink.write(piece)
    })
    const hash = (parts: readonly Uint8Array[]) => parts.reduce((sum, part) => sum.update(part), createHash('sha256')).digest('hex')
    expect(hash([await readFile(path)])).toBe(hash(pieces))
    expect(await folder.list()).toEqual(['large'])
  })

  test('keeps the old content, and nothing else, when the new one fails half way', async () => {
    const path = join(folder(), 'file')
    await writeFile(path, 'old')
    const failing = writeFileAtomic(path, async (sink) => {
      await sink.write(Buffer.from('new'))
      throw new Error('half way')
    })
    await expect(failing).rejects.toThrow('half way')
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await folder.list()).toEqual(['file'])
  })

  test('names the path and what to do when the folder is gone', async () => {
    const path = join(folder(), 'gone', 'file')
    await expect(writeFileAtomic(path, 'x')).rejects.toMatchObject({
      code: 'ERR_CAE_OUTPUT',
      exitCode: 4,
      message: expect.stringMatching(/ENOENT[\s\S]*gone\/file[\s\S]*moved or deleted/),
    })
  })

  const asUser = isRoot ? test.skip : test
  asUser('is refused by a read-only folder with a coded error', async () => {
    await chmod(folder(), 0o500)
    await expect(writeFileAtomic(join(folder(), 'file'), 'x')).rejects.toMatchObject({
      code: 'ERR_CAE_OUTPUT',
      message: expect.stringMatching(/EACCES/),
    })
  })

  test('is refused by a folder in the way with a coded error', async () => {
    await mkdir(join(folder(), 'file'))
    await expect(writeFileAtomic(join(folder(), 'file'), 'x')).rejects.toMatchObject({ code: 'ERR_CAE_OUTPUT' })
    expect(await folder.list()).toEqual(['file'])
  })

  test('tells a full disk by its name', async () => {
    // Linux: every write to /dev/full ends with ENOSPC.
    await expect(writeFileAtomic('/dev/full/x', 'x')).rejects.toMatchObject({ code: 'ERR_CAE_OUTPUT' })
  })
})

test('writeFileSynced never replaces a file', async () => {
  const path = join(folder(), 'file')
  const sha256 = createHash('sha256').update('one').digest('hex')
  expect(await writeFileSynced(path, 'one')).toEqual({ bytes: 3, sha256 })
  await expect(writeFileSynced(path, 'two')).rejects.toMatchObject({ code: 'ERR_CAE_OUTPUT', message: expect.stringMatching(/EEXIST/) })
  expect(await readFile(path, 'utf8')).toBe('one')
})

test('replaceLink makes a link and moves it', async () => {
  const link = join(folder(), 'latest')
  await replaceLink(link, 'step-1')
  await replaceLink(link, 'step-2')
  expect(await readlink(link)).toBe('step-2')
  expect(await folder.list()).toEqual(['latest'])
  await rm(folder(), { recursive: true })
  await expect(replaceLink(link, 'step-3')).rejects.toMatchObject({ code: 'ERR_CAE_OUTPUT' })
})
