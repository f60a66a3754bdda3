import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expandBraces, listShards } from '../../../src/data/sources/shard-list.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder()

test.each([
  ['x.tar', ['x.tar']],
  ['x-{8..11}.tar', ['x-8.tar', 'x-9.tar', 'x-10.tar', 'x-11.tar']],
  ['x-{008..010}.tar', ['x-008.tar', 'x-009.tar', 'x-010.tar']],
  ['x-{2..0}', ['x-2', 'x-1', 'x-0']],
  ['{a,b}-{0..1}', ['a-0', 'a-1', 'b-0', 'b-1']],
  ['{a,b{1..2},}c', ['ac', 'b1c', 'b2c', 'c']],
  ['{only}{', ['{only}{']],
  ['}{0..1}', ['}0', '}1']],
])('%s', (pattern, want) => {
  expect(expandBraces(pattern)).toEqual(want)
})

test('patterns for too many names are refused, before they are made', () => {
  for (const pattern of ['{0..9999999}', '{0..9999}{0..9999}']) expect(() => expandBraces(pattern)).toThrow(/more than 1000000 files/)
})

test('files of patterns and folders are sorted, those named keep their order; URLs are left alone', async () => {
  await mkdir(join(folder(), 'deep/er'), { recursive: true })
  for (const name of ['b.tar', 'a.tar', 'c.txt', '.d.tar', 'deep/er/e.tar']) await writeFile(join(folder(), name), '')
  const names = async (...given: string[]) =>
    (
      await listShards(
        given.map((name) => (name.startsWith('http') ? name : join(folder(), name))),
        '.tar',
      )
    ).map((name) => name.replace(`${folder()}/`, ''))
  expect(await names('b.tar', 'a.tar', 'none.tar')).toEqual(['b.tar', 'a.tar', 'none.tar'])
  expect(await names('')).toEqual(['a.tar', 'b.tar'])
  expect(await names('?.t*')).toEqual(['a.tar', 'b.tar', 'c.txt'])
  expect(await names('**/*.tar')).toEqual(['.d.tar', 'a.tar', 'b.tar', 'deep/er/e.tar'])
  expect(await names('https://x.org/{a,b}.tar?x=*')).toEqual(['https://x.org/a.tar?x=*', 'https://x.org/b.tar?x=*'])
  await expect(listShards([], '.tar')).rejects.toMatchObject({ code: 'ERR_CAE_DATA' })
  await expect(listShards(join(folder(), 'deep'), '.tar')).rejects.toMatchObject({
    message: expect.stringMatching(/no \.tar file in the folder/),
  })
})
