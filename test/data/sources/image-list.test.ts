import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { tableRows } from '../../../src/data/sources/delimited-text.js'
import { imageList } from '../../../src/data/sources/image-list.js'
import { openData } from '../../../src/data/sources/registry.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder()

async function read(name: string, text: string) {
  await writeFile(join(folder(), name), text)
  const set = await openData(join(folder(), name))
  const places = Array.from({ length: set.length }, (_, index) => index)
  return {
    paths: places.map((index) => String(set.get(index)).replace(`${folder()}/`, '')),
    labels: set.label && places.map((index) => set.label?.(index)),
    classes: set.classes,
  }
}

test('text: a path a line', async () => {
  const text = '\uFEFFa.jpg\r\nsub/a b.jpg\r\n\r\n/abs/c.jpg\n  \nd 1.jpg'
  expect(await read('l.txt', text)).toEqual({
    paths: ['a.jpg', 'sub/a b.jpg', '/abs/c.jpg', 'd 1.jpg'],
    labels: undefined,
    classes: undefined,
  })
})

test('text: classes after a tab, or as numbers after a space in every line', async () => {
  expect(await read('l.txt', 'a.jpg\tcat\nb.jpg\tant\nc.jpg\n')).toEqual({
    paths: ['a.jpg', 'b.jpg', 'c.jpg'],
    labels: [1, 0, undefined],
    classes: ['ant', 'cat'],
  })
  expect(await read('l.txt', 'a b.jpg 65\nc.jpg 7\n')).toEqual({ paths: ['a b.jpg', 'c.jpg'], labels: [65, 7], classes: undefined })
  expect((await read('l.txt', 'photo 1\nphoto b\n')).paths).toEqual(['photo 1', 'photo b'])
})

test('tables: with and without a first line of names, quotes, semicolons no matter', async () => {
  expect(await read('l.csv', 'label,file_name\n"dog","x,1.jpg"\ncat,"y ""2"".jpg"\n')).toEqual({
    paths: ['x,1.jpg', 'y "2".jpg'],
    labels: [1, 0],
    classes: ['cat', 'dog'],
  })
  expect(await read('l.csv', 'a.jpg,3\nb.jpg,-1\n')).toEqual({ paths: ['a.jpg', 'b.jpg'], labels: [3, undefined], classes: undefined })
  expect(await read('l.tsv', 'path\ttext\na.jpg\thello\n')).toEqual({ paths: ['a.jpg'], labels: undefined, classes: undefined })
})

test('a root of one’s own', async () => {
  await writeFile(join(folder(), 'l.txt'), 'a.jpg\n')
  expect((await imageList(join(folder(), 'l.txt'), { root: '/images' })).get(0)).toBe('/images/a.jpg')
})

test.each([
  ['an empty list', 'l.txt', '\n \n', /the list is empty/],
  ['names of columns alone', 'l.csv', 'path,label\n', /the list is empty/],
  ['quotes without end', 'l.csv', 'a,"b\nc', /the table is damaged: quotes .* never closed/],
])('%s is told', async (_, name, text, message) => {
  await expect(read(name, text)).rejects.toMatchObject({ code: 'ERR_CAE_DATA', message: expect.stringMatching(message) })
})

test('a missing list, and an image outside, are told', async () => {
  await expect(imageList(join(folder(), 'none.txt'))).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/cannot read the list/),
  })
  await writeFile(join(folder(), 'l.txt'), 'a.jpg\n')
  const set = await imageList(join(folder(), 'l.txt'))
  expect(() => set.get(1)).toThrow(/image 1 asked of a set of 1/)
})

test('rows of a table', () => {
  expect([...tableRows('a,b\r\n\r\n"c\nd",\n,"""e"""\nf', ',')]).toEqual([['a', 'b'], ['c\nd', ''], ['', '"e"'], ['f']])
  expect([...tableRows('', ',')]).toEqual([])
})
