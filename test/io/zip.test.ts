import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { CaeError } from '../../src/errors.js'
import { dataStart, listZip } from '../../src/io/zip.js'
import { makeZip } from '../setup/make-zip.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const refuse = (what: string) => new CaeError('ERR_CAE_CHECKPOINT', { what })

async function list(bytes: Buffer) {
  const path = join(folder(), 'a.zip')
  await writeFile(path, bytes)
  await using file = await open(path)
  const entries = await listZip(file, refuse)
  return await Promise.all(entries.map(async (entry) => ({ ...entry, start: await dataStart(file, entry, refuse) })))
}

const files = { 'a/one': Buffer.from('first'), 'a/two': Buffer.from('second'), 'a/three': Buffer.alloc(0) }

/** Position of the n-th entry of the directory. */
function entryAt(bytes: Buffer, index: number): number {
  let at = bytes.indexOf(Buffer.from('PK\x01\x02'))
  for (let skipped = 0; skipped < index; skipped++) at = bytes.indexOf(Buffer.from('PK\x01\x02'), at + 4)
  return at
}

describe('the directory of a zip archive', () => {
  test.each([{ zip64: false }, { zip64: true }, { padding: 61 }, { zip64: true, padding: 61 }])(
    'finds stored data with %j',
    async (options) => {
      const bytes = makeZip(files, { stored: true, ...options })
      const entries = await list(bytes)
      const found = entries.map(({ name, start, bytes: length }) => [name, bytes.toString('latin1', start, start + length)])
      expect(found).toEqual([
        ['a/one', 'first'],
        ['a/two', 'second'],
        ['a/three', ''],
      ])
    },
  )

  test.each<[what: string, change: (bytes: Buffer) => void, message: RegExp]>([
    ['data past the directory', (b) => b.writeUInt32LE(5000, entryAt(b, 0) + 20), /would end at byte/],
    ['data of 2^32 bytes', (b) => b.writeUInt32LE(0xffffffff, entryAt(b, 0) + 20), /would end at byte/],
    ['two entries on one place', (b) => b.writeUInt32LE(0, entryAt(b, 1) + 42), /overlaps/],
    ['data that reaches into the next entry', (b) => b.writeUInt32LE(8, entryAt(b, 0) + 20), /overlaps/],
    ['padding that pushes data over the next entry', (b) => b.writeUInt16LE(20, 28), /overlaps what follows/],
    ['a missing header', (b) => b.writeUInt32LE(7, 0), /has no header/],
    ['an encrypted entry', (b) => b.writeUInt16LE(1, entryAt(b, 0) + 8), /is encrypted/],
    ['an unknown compression', (b) => b.writeUInt16LE(12, entryAt(b, 0) + 10), /unknown way \(12\)/],
    ['a name that runs out of the directory', (b) => b.writeUInt16LE(60_000, entryAt(b, 2) + 28), /directory is damaged/],
    ['an entry that is none', (b) => b.writeUInt32LE(7, entryAt(b, 1)), /directory is damaged/],
    ['a directory past the end', (b) => b.writeUInt32LE(1 << 30, b.length - 6), /cut short/],
    ['a lost end', (b) => b.writeUInt32LE(7, b.length - 22), /no zip directory/],
  ])('refuses %s', async (_, change, message) => {
    const bytes = makeZip(files, { stored: true })
    change(bytes)
    await expect(list(bytes)).rejects.toThrow(message)
  })

  test('refuses a wide directory that lies anywhere else', async () => {
    const bytes = makeZip(files, { stored: true, zip64: true })
    bytes.writeBigUInt64LE(2n ** 63n, bytes.length - 22 - 12)
    await expect(list(bytes)).rejects.toThrow(/zip64 directory is damaged/)
  })
})
