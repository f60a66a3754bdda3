import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { FileReader } from '../../src/data/file-reader.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const at = (name: string) => join(folder(), name)

test('a small file is there at once, a large one later; both whole', async () => {
  const [small, large] = [Buffer.alloc(3000, 'small'), Buffer.alloc(600_000, 'large')]
  await writeFile(at('small'), small)
  await writeFile(at('large'), large)
  const reader = new FileReader()
  const bytes = reader.read(at('small'))
  expect(bytes).toBeInstanceOf(Buffer)
  expect((await bytes).equals(small)).toBe(true)
  const later = reader.read(at('large'))
  expect(later).toBeInstanceOf(Promise)
  expect((await later).equals(large)).toBe(true)
  const after = reader.read(at('small')) // a large file may be followed by others
  expect(after).toBeInstanceOf(Promise)
  expect((await after).equals(small)).toBe(true)
})

const onUnix = process.platform === 'win32' ? test.skip : test
onUnix('what is no regular file is refused, never waited for', async () => {
  execFileSync('mkfifo', [at('pipe')])
  await mkdir(at('folder'))
  await writeFile(at('large'), Buffer.alloc(300_000))
  for (const [path, code, message] of [
    [at('pipe'), 'ESPIPE', /a pipe, not a regular file/],
    [at('folder'), 'EISDIR', /a folder, not a regular file/],
    ['/dev/zero', 'ESPIPE', /a device, not a regular file/],
    [at('none'), 'ENOENT', /no such file/],
  ] as const) {
    const refusal = expect.objectContaining({ code, message: expect.stringMatching(message) })
    expect(() => new FileReader().read(path)).toThrow(refusal)
    const beside = new FileReader()
    await beside.read(at('large'))
    await expect(beside.read(path)).rejects.toEqual(refusal)
  }
})

onUnix('pipes hold no thread of the pool', async () => {
  await writeFile(at('large'), Buffer.alloc(300_000))
  const reader = new FileReader()
  await reader.read(at('large'))
  const pipes = Array.from({ length: 20 }, (_, n) => at(`pipe-${n}`))
  execFileSync('mkfifo', pipes)
  await Promise.allSettled(pipes.map((path) => reader.read(path)))
  expect(await readFile(at('large'))).toHaveLength(300_000)
})

test('when several reads are out and none comes back, it is told', async () => {
  const ends: (() => void)[] = []
  const reader = new FileReader({
    typeOf: () => 0x6969,
    readBeside: (path) => new Promise((resolve) => ends.push(() => resolve(Buffer.from(path)))),
  })
  const reads = ['a', 'b', 'c', 'd', 'e'].map((path) => reader.read(path))
  expect([reader.isStuck(0), reader.isStuck(60_000)]).toEqual([true, false])
  ends[4]?.()
  expect(String(await reads[4])).toBe('e')
  expect(reader.isStuck(60_000)).toBe(false) // one has come back
  ends[0]?.()
  await reads[0]
  expect(reader.isStuck(0)).toBe(false) // three may be slow files
})

test('what lies on another machine is not waited for, small or not', async () => {
  await writeFile(at('small'), 'small')
  const nfs = 0x6969
  const asked: string[] = []
  const reader = new FileReader({
    readBeside: (path) => Promise.resolve(Buffer.from(path)),
    typeOf(path) {
      asked.push(path)
      return nfs
    },
  })
  for (let n = 0; n < 3; n++) expect(reader.read(at('small'))).toBeInstanceOf(Promise)
  expect(asked).toEqual([folder()]) // once a folder
})
