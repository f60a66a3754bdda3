import { mkdir, readFile, rename, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Dataset } from '../../../src/data/dataset.js'
import { readPageHeader } from '../../../src/data/sources/page-header.js'
import { parquet } from '../../../src/data/sources/parquet.js'
import { openData } from '../../../src/data/sources/registry.js'
import { serveFiles } from '../../support/file-server.js'
import { type ImageTable, type ParquetLayout, writeImageTable } from '../../support/parquet.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder()
const at = (name: string) => join(folder(), name)

/** Bytes that differ from row to row, and in length. */
const image = (row: number) => Buffer.alloc(200 + ((row * 37) % 900), row)

function table(rows: number, shift = 0): ImageTable {
  const places = Array.from({ length: rows }, (_, row) => row + shift)
  return {
    images: places.map((row) => ({ bytes: image(row), path: `${row}.png` })),
    labels: places.map((row) => BigInt(row % 3)),
    names: ['ant', 'bee', 'cat'],
  }
}

async function expectRows(set: Dataset, order: readonly number[], shift = 0): Promise<void> {
  const read = await Promise.all(order.map((row) => set.get(row)))
  expect(read.every((bytes, i) => Buffer.compare(bytes as Buffer, image((order[i] ?? 0) + shift)) === 0)).toBe(true)
}

const layouts: [name: string, layout: ParquetLayout][] = [
  ['snappy, pages with an index', { pageSize: 4000 }],
  ['snappy, pages without one', { pageSize: 4000, withoutIndex: true }],
  ['no codec, pages with an index', { codec: 'UNCOMPRESSED', pageSize: 4000 }],
  ['no codec, pages without one', { codec: 'UNCOMPRESSED', pageSize: 4000, withoutIndex: true }],
  ['gzip', { codec: 'GZIP', pageSize: 4000 }],
  ['brotli', { codec: 'BROTLI' }],
  ['one row group', { rowGroupSize: 10_000, pageSize: 10_000 }],
  ['one row a group', { rowGroupSize: 1 }],
  ['delta lengths', { encoding: 'DELTA_LENGTH_BYTE_ARRAY', codec: 'UNCOMPRESSED', pageSize: 4000 }],
  ['delta strings', { encoding: 'DELTA_BYTE_ARRAY', pageSize: 4000 }],
]
test.each(layouts)('rows in any order, twice: %s', async (_, layout) => {
  const rows = 257
  await writeImageTable(at('a.parquet'), table(rows), layout)
  const set = await parquet(at('a.parquet'))
  expect([set.length, set.classes, set.name?.(7)]).toEqual([rows, ['ant', 'bee', 'cat'], `${at('a.parquet')}#7`])
  expect([0, 1, 2, 256].map((row) => set.label?.(row))).toEqual([0, 1, 2, 1])
  const places = Array.from({ length: rows }, (_, i) => i)
  await expectRows(set, places)
  await expectRows(
    set,
    places.map((i) => (i * 100 + 3) % rows),
  )
})

test('values that repeat are stored once, in a dictionary', async () => {
  const same = [image(1), image(2)]
  for (const codec of ['UNCOMPRESSED', 'SNAPPY'] as const) {
    for (const withoutIndex of [false, true]) {
      const images = Array.from({ length: 60 }, (_, row) => ({ bytes: same[row % 2] ?? null, path: null }))
      await writeImageTable(at('d.parquet'), { images }, { codec, withoutIndex, pageSize: 8, encoding: 'RLE_DICTIONARY' })
      const set = await parquet(at('d.parquet'))
      for (const row of [59, 0, 7, 31, 30, 59, 1]) expect(await set.get(row)).toEqual(same[row % 2])
    }
  }
})

test('rows without bytes are files by their path; rows with neither are bad images', async () => {
  const images = [
    { bytes: image(0), path: 'a.png' },
    { bytes: null, path: 'sub/b.png' },
    null,
    { bytes: null, path: null },
    { bytes: image(4), path: null },
  ]
  for (const codec of ['SNAPPY', 'UNCOMPRESSED'] as const) {
    await writeImageTable(at('n.parquet'), { images, labels: [0n, null, 1n, 1n, 0n] }, { codec })
    const set = await parquet(at('n.parquet'))
    for (let round = 0; round < 2; round++) {
      expect(await set.get(0)).toEqual(image(0))
      expect(await set.get(1)).toBe(at('sub/b.png'))
      await expect(set.get(2)).rejects.toThrow(/row 2 has neither bytes nor a path/)
      await expect(set.get(3)).rejects.toThrow(/row 3 has neither/)
      expect(await set.get(4)).toEqual(image(4))
    }
    expect([0, 1, 2].map((row) => set.label?.(row))).toEqual([0, undefined, 1])
    expect(set.classes).toBeUndefined()
  }
})

test('files one after the other; a folder of one split, and of several', async () => {
  await mkdir(at('set/data'), { recursive: true })
  await writeImageTable(at('set/data/train-00000-of-00002.parquet'), table(40))
  await writeImageTable(at('set/data/train-00001-of-00002.parquet'), table(30, 40))
  await writeFile(at('set/README.md'), 'card')
  for (const given of [at('set'), at('set/data'), at('set/data/*.parquet'), at('set/data/train-{00000..00001}-of-00002.parquet')]) {
    const set = await openData(given)
    expect([set.length, set.label?.(69), set.classes?.[2]]).toEqual([70, 0, 'cat'])
    await expectRows(set, [69, 40, 39, 0])
  }
  const before = (await openData(at('set'))).fingerprint
  await rename(at('set'), at('moved'))
  expect((await openData(at('moved'))).fingerprint).toBe(before)
  await writeImageTable(at('moved/data/test-00000-of-00001.parquet'), table(5))
  await expect(openData(at('moved'))).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/several splits: test, train[\s\S]*train-\*\.parquet/),
  })
})

test('columns without metadata: of bytes, of words', async () => {
  const { parquetWriteBuffer } = await import('hyparquet-writer')
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: 'note', data: ['x', 'y', 'z'], type: 'STRING' },
      { name: 'picture', data: [image(0), image(1), image(2)], type: 'BYTE_ARRAY' },
      { name: 'label', data: ['dog', 'cat', 'dog'], type: 'STRING' },
    ],
  })
  await writeFile(at('w.parquet'), Buffer.from(bytes))
  const set = await parquet(at('w.parquet'))
  await expectRows(set, [2, 0, 1])
  expect([set.classes, [0, 1, 2].map((row) => set.label?.(row))]).toEqual([
    ['cat', 'dog'],
    [1, 0, 1],
  ])
  expect((await parquet(at('w.parquet'), { label: false })).label).toBeUndefined()
  await expect(parquet(at('w.parquet'), { image: 'photo' })).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/column photo is missing, or holds no images among note, picture, label/),
  })
})

test('of a large row group only the pages that are wanted are read', async () => {
  const rows = 4000
  for (const codec of ['SNAPPY', 'UNCOMPRESSED'] as const) {
    for (const withoutIndex of [true, false]) {
      await writeImageTable(at('big.parquet'), table(rows), { codec, withoutIndex, rowGroupSize: rows, pageSize: 50_000 })
      const bytes = await readFile(at('big.parquet'))
      await using server = await serveFiles({ 'big.parquet': bytes })
      const set = await parquet(server.url('big.parquet'), { label: false })
      server.asked.length = 0
      await expectRows(set, [3999])
      await expectRows(set, [3998])
      const lengths = server.asked.map((ask) => {
        const [, from, to] = /(\d+)-(\d+)$/.exec(ask) ?? []
        return Number(to) - Number(from) + 1
      })
      // Headers of pages or the index of them; one page; for an uncompressed one then the value alone.
      expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(200_000)
      expect(Math.max(...lengths)).toBeLessThan(60_000)
    }
  }
})

describe('what is wrong with a file is told', () => {
  test.each([
    ['missing', async (): Promise<void> => undefined, /none|cannot find the data/],
    ['another file', async () => writeFile(at('a.parquet'), 'text, and not a little of it'), /this is no Parquet file/],
    ['empty', async () => writeFile(at('a.parquet'), ''), /this is no Parquet file/],
    [
      'cut short',
      async () => {
        await writeImageTable(at('a.parquet'), table(10))
        await truncate(at('a.parquet'), 3000)
      },
      /no Parquet file, or it is cut short/,
    ],
    [
      'a damaged footer',
      async () => writeFile(at('a.parquet'), Buffer.from(`PAR1${'\xff'.repeat(50)}\x32\0\0\0PAR1`, 'latin1')),
      /cannot read the Parquet file/,
    ],
  ] as [string, () => Promise<void>, RegExp][])('%s', async (_, make, message) => {
    await make()
    await expect(parquet(at('a.parquet'))).rejects.toMatchObject({ code: 'ERR_CAE_DATA', message: expect.stringMatching(message) })
  })

  test('a damaged page is an error of its images, and of no others', async () => {
    await writeImageTable(at('a.parquet'), table(100), { pageSize: 4000 })
    const bytes = await readFile(at('a.parquet'))
    bytes.fill(0xff, 40, 400) // in the first page
    await writeFile(at('a.parquet'), bytes)
    const set = await parquet(at('a.parquet'))
    await expect(set.get(0)).rejects.toThrow()
    await expectRows(set, [99])
  })
})

test('page headers: whole, cut, and none', () => {
  // type 0 (data), sizes 100 and 90, data page header { 7 values, PLAIN, RLE, RLE }
  const header = Buffer.from([
    0x15, 0x00, 0x15, 0xc8, 0x01, 0x15, 0xb4, 0x01, 0x2c, 0x15, 0x0e, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00,
  ])
  expect(readPageHeader(Buffer.concat([header, Buffer.alloc(5)]))).toEqual({
    kind: 'data',
    headerBytes: header.length,
    pageBytes: 90,
    values: 7,
  })
  for (let length = 0; length < header.length; length++) expect(readPageHeader(header.subarray(0, length))).toBeUndefined()
  expect(() => readPageHeader(Buffer.alloc(100, 0xff))).toThrow('no page begins here')
  expect(() => readPageHeader(Buffer.alloc(100, 0))).toThrow('no page begins here')
})
