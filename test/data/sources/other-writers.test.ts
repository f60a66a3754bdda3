import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { parquet } from '../../../src/data/sources/parquet.js'
import { webDataset } from '../../../src/data/sources/web-dataset.js'
import { serveFiles } from '../../support/file-server.js'

/** Files of pyarrow 25 and of Python's tarfile; `make.py` beside them says what is in them. */
const fixtures = join(__dirname, '../../fixtures/data')

const rows = 40
const image = (row: number) => Buffer.alloc(40 + ((row * 37) % 160), row)

const tables = [
  'default',
  'snappy-pages',
  'none-pages',
  'none-pages-index',
  'zstd-dictionary',
  'gzip-v2',
  'none-dictionary-v2',
  'brotli',
  'lz4',
  'checksums',
]
test.each(tables)('pyarrow: %s', async (name) => {
  const set = await parquet(join(fixtures, `${name}.parquet`))
  expect([set.length, set.classes]).toEqual([rows, ['ant', 'bee', 'cat']])
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < rows; i++) {
      const row = (i * 23 + 39 * (1 - round)) % rows
      expect([row, await set.get(row)]).toEqual([row, image(row)])
      expect(set.label?.(row)).toBe(row % 3)
    }
  }
})

test('pyarrow: rows without bytes, and without anything', async () => {
  const set = await parquet(join(fixtures, 'nulls.parquet'))
  for (let row = rows - 1; row >= 0; row--) {
    if (row % 10 === 9) await expect(set.get(row)).rejects.toThrow(/neither bytes nor a path/)
    else expect(await set.get(row)).toEqual(row % 3 === 2 ? join(fixtures, `${row}.png`) : image(row))
  }
})

test('pyarrow: pages are read by themselves from a web server too', async () => {
  await using server = await serveFiles({ 'a.parquet': await readFile(join(fixtures, 'none-pages.parquet')) })
  const set = await parquet(server.url('a.parquet'))
  for (const row of [39, 0, 17]) expect(await set.get(row)).toEqual(image(row))
})

test.each(['ustar', 'gnu', 'pax'])("Python's tarfile: %s", async (name) => {
  const set = await webDataset(join(fixtures, `${name}.tar`), { index: false })
  const directory = `${'d'.repeat(60)}/${'e'.repeat(name === 'ustar' ? 60 : 200)}`
  expect(set.length).toBe(2)
  for (const row of [1, 0]) {
    expect([set.name?.(row), set.label?.(row)]).toEqual([join(fixtures, `${name}.tar`, directory, `${row}.jpg`), row])
    expect(await set.get(row)).toEqual(image(row))
  }
})
