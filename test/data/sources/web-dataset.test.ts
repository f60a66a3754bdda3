import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { subset } from '../../../src/data/combine.js'
import type { Dataset } from '../../../src/data/dataset.js'
import { dealToRank, epochOrder } from '../../../src/data/order.js'
import { splitMemberName } from '../../../src/data/sources/tar-index.js'
import { type WebDatasetOptions, webDataset } from '../../../src/data/sources/web-dataset.js'
import { type Members, tar, writeTar } from '../../support/tar.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder()
const at = (name: string) => join(folder(), name)

async function open(members: Members, options: WebDatasetOptions = {}) {
  await mkdir(at('shards'), { recursive: true })
  await writeTar(at('shards/a.tar'), members)
  return webDataset(at('shards/a.tar'), { index: at('index'), ...options })
}

async function contents(set: Dataset): Promise<string[]> {
  const read = Array.from({ length: set.length }, async (_, index) => String(await set.get(index)))
  return Promise.all(read)
}

function names(set: Dataset): string[] {
  return Array.from({ length: set.length }, (_, index) => set.name?.(index).slice(at('shards/a.tar/').length) ?? '')
}

test('the key ends at the first dot of the base name', () => {
  const table: [string, [string, string] | undefined][] = [
    ['a/b.seg.png', ['a/b', 'seg.png']],
    ['a.b/c.JPG', ['a.b/c', 'jpg']],
    ['./c.jpg', ['./c', 'jpg']],
    ['c', undefined],
    ['a.b/c', undefined],
    ['.hidden.jpg', undefined],
    ['a/.hidden.jpg', undefined],
    ['__index__', undefined],
    ['__index.jpg__', undefined],
    ['a/__x__.jpg', ['a/__x__', 'jpg']],
    ['c.', ['c', '']],
  ]
  for (const [name, want] of table) {
    expect([name, splitMemberName(name)]).toEqual([name, want && { key: want[0], extension: want[1] }])
  }
})

test('samples are runs of members with one key, with labels from .cls', async () => {
  const set = await open([
    ['__meta__', '{}'],
    ['x/1.jpg', 'one'],
    ['x/1.cls', ' 7\n'],
    [{ name: 'x/', type: 'directory' }, ''],
    ['x/1.json', '{}'],
    ['x/2.cls', '3'],
    ['x/2.PNG', 'two'],
    ['README', 'no dot'],
    ['x/3.txt', 'no image'],
    ['x/1.jpg', 'one again'],
  ])
  expect(names(set)).toEqual(['x/1.jpg', 'x/2.PNG', 'x/1.jpg'])
  expect(await contents(set)).toEqual(['one', 'two', 'one again'])
  expect([0, 1, 2].map((index) => set.label?.(index))).toEqual([7, 3, undefined])
  expect(set.notes).toEqual(['1 samples of the shards have no image and are left out'])
})

test('the extension of the images may be chosen', async () => {
  const members: Members = [
    ['1.jpg', 'whole'],
    ['1.left.jpg', 'left'],
    ['2.jpg', 'whole'],
  ]
  expect(await contents(await open(members, { image: 'left.jpg' }))).toEqual(['left'])
  expect(await contents(await open(members))).toEqual(['whole', 'whole'])
})

test('without labels there is no label', async () => {
  expect((await open([['1.jpg', 'one']])).label).toBeUndefined()
})

test('long names: ustar prefix, pax, GNU; links and devices are no samples', async () => {
  const prefixed = `${'p'.repeat(60)}/${'q'.repeat(60)}/1.jpg`
  const long = `${'ü'.repeat(120)}/2.jpg`
  const set = await open([
    [prefixed, 'prefix'],
    [long, 'pax'],
    [{ name: '3.jpg', type: 'symlink', linkname: '1.jpg' }, ''],
    [{ name: '4.jpg', type: 'link', linkname: '1.jpg' }, ''],
  ])
  expect(names(set)).toEqual([prefixed, long])

  // GNU: the name is the content of a member before.
  const gnu = await tar([
    ['././@LongLink', `${'g'.repeat(150)}.jpg\0`],
    ['cut-name.jpg', 'gnu'],
  ])
  gnu[156] = 'L'.charCodeAt(0)
  fixChecksum(gnu, 0)
  await writeFile(at('shards/a.tar'), gnu)
  const other = await webDataset(at('shards/a.tar'), { index: at('index') })
  expect([names(other), await contents(other)]).toEqual([[`${'g'.repeat(150)}.jpg`], ['gnu']])
})

function fixChecksum(archive: Buffer, header: number): void {
  archive.fill(' ', header + 148, header + 156)
  const sum = archive.subarray(header, header + 512).reduce((total, byte) => total + byte, 0)
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, header + 148, 'latin1')
}

describe('what is wrong with a shard is told', () => {
  const good: Members = [
    ['1.jpg', 'x'.repeat(2000)],
    ['2.jpg', 'y'],
  ]
  const cases: [name: string, bytes: () => Promise<Buffer>, message: RegExp][] = [
    ['gzip', async () => gzipSync(await tar(good)), /compressed by gzip.*a\.tar.*gunzip/s],
    ['zstd', async () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]), /compressed by zstd/],
    ['another file', async () => Buffer.alloc(2048, 'text '), /this is no tar archive/],
    ['cut in a header', async () => (await tar(good)).subarray(0, 512 + 2048 + 100), /ends in the middle of a header/],
    ['cut in a member', async () => (await tar(good)).subarray(0, 1024), /cut short: a member of 2000 bytes/],
    [
      'the same extension twice',
      () =>
        tar([
          ['1.jpg', 'a'],
          ['1.JPG', 'b'],
        ]),
      /the sample 1 has two members \.jpg/,
    ],
    [
      'a class that is no number',
      () =>
        tar([
          ['1.jpg', 'a'],
          ['1.cls', 'cat'],
        ]),
      /1\.cls holds "cat", expected a class/,
    ],
    [
      'no image',
      () =>
        tar([
          ['1.txt', 'a'],
          ['2.json', 'b'],
        ]),
      /no image in the shards: 2 samples/,
    ],
    ['empty', async () => Buffer.alloc(1024), /no image in the shards: 0 samples/],
    [
      'damaged',
      async () => {
        const bytes = await tar(good)
        bytes[512 + 2048 + 3] = 1
        return bytes
      },
      /the archive is damaged \(at byte 2560\)/,
    ],
  ]
  test.each(cases)('%s', async (_, bytes, message) => {
    await writeFile(at('a.tar'), await bytes())
    await expect(webDataset(at('a.tar'), { index: false })).rejects.toMatchObject({
      code: 'ERR_CAE_DATA',
      message: expect.stringMatching(message),
    })
  })

  test('missing, and a pattern that matches nothing', async () => {
    await expect(webDataset(at('none.tar'), { index: false })).rejects.toMatchObject({ code: 'ERR_CAE_DATA', message: /none\.tar/ })
    await expect(webDataset(at('*.tar'), { index: false })).rejects.toMatchObject({ code: 'ERR_CAE_DATA', message: /no file matches/ })
  })
})

test('shards come in the order of their names; the fingerprint knows their content, not their place', async () => {
  await mkdir(at('s'))
  for (let shard = 0; shard < 11; shard++)
    await writeTar(at(`s/x-${String(shard).padStart(2, '0')}.tar`), [[`${shard}.jpg`, `image ${shard}`]])
  const options = { index: at('index') }
  const sets = await Promise.all([at('s/x-{00..10}.tar'), at('s/*.tar'), at('s')].map((given) => webDataset(given, options)))
  for (const set of sets) expect(await contents(set)).toEqual(Array.from({ length: 11 }, (_, shard) => `image ${shard}`))
  const part = await webDataset(at('s/x-{00..09}.tar'), options)
  await mkdir(at('t'))
  for (const name of await readdir(at('s'))) await writeFile(at(`t/${name}`), await readFile(at(`s/${name}`)))
  const moved = await webDataset(at('t'), options)
  expect([sets[1]?.fingerprint, moved.fingerprint]).toEqual([sets[0]?.fingerprint, sets[0]?.fingerprint])
  expect(part.fingerprint).not.toBe(sets[0]?.fingerprint)
})

describe('the index', () => {
  const members: Members = [
    ['1.jpg', 'one'],
    ['1.cls', '4'],
    ['2.jpg', 'two'],
    ['3.json', ''],
  ]

  test('is kept apart from the data, and used until the shard changes', async () => {
    const time = new Date('2001-01-01')
    const options = { index: at('index') }
    await open(members, { index: false })
    await utimes(at('shards/a.tar'), time, time)
    const first = await webDataset(at('shards/a.tar'), options)
    const [file = ''] = await readdir(at('index'))
    expect(await readdir(at('shards'))).toEqual(['a.tar'])
    // Other content of the same size and time: only the index can know where the images were.
    const bytes = await readFile(at('shards/a.tar'))
    bytes.write('renamed.jpg', 0)
    await writeFile(at('shards/a.tar'), bytes)
    await utimes(at('shards/a.tar'), time, time)
    const again = await webDataset(at('shards/a.tar'), options)
    expect(names(again)).toEqual(['1.jpg', '2.jpg'])
    expect([again.label?.(0), again.label?.(1), again.fingerprint, again.notes]).toEqual([4, undefined, first.fingerprint, first.notes])
    // A newer shard.
    const newer = await open([['5.jpg', 'five']])
    expect([names(newer), await contents(newer)]).toEqual([['5.jpg'], ['five']])
    expect(await readdir(at('index'))).toEqual([file])
  })

  test('that is damaged is made anew', async () => {
    await open(members)
    const [file = ''] = await readdir(at('index'))
    const whole = await readFile(at(`index/${file}`))
    for (const damage of [
      whole.subarray(0, 5),
      whole.subarray(0, whole.length - 1),
      Buffer.alloc(300, 255),
      Buffer.from(whole).fill(9, 220),
    ]) {
      await writeFile(at(`index/${file}`), damage)
      expect(await contents(await open(members))).toEqual(['one', 'two'])
    }
  })

  test('that cannot be kept is a note', async () => {
    await writeFile(at('index'), 'a file is in the way')
    const set = await open(members)
    expect(set.notes[0]).toMatch(/the index of .*a\.tar cannot be kept/)
    expect(set.length).toBe(2)
  })
})

test('a shard that changes while it is in use is an error, not another image', async () => {
  const set = await open([
    ['1.jpg', 'one'],
    ['2.jpg', 'two'],
  ])
  await writeTar(at('shards/a.tar'), [
    ['9.jpg', 'another size'],
    ['2.jpg', 'xxx'],
    ['3.jpg', ''],
  ])
  await expect(async () => set.get(0)).rejects.toThrow(/has changed since it was opened/)
})

test('reads in order are few and large, others are of one image each', async () => {
  const members = Array.from({ length: 300 }, (_, i): [string, Uint8Array] => [`${i}.jpg`, Buffer.alloc(9000, i)])
  const set = await open(members)
  for (const order of [(i: number) => i, (i: number) => (i * 131) % 300]) {
    for (let i = 0; i < 300; i++) {
      const image = await set.get(order(i))
      expect(Buffer.compare(image as Buffer, Buffer.alloc(9000, order(i)))).toBe(0)
    }
  }
})

test('ranks that the shards do not divide have equally many images each, and none twice', async () => {
  const sizes = [7, 1, 12] // images in each of three shards
  for (const [shard, size] of sizes.entries())
    await writeTar(
      at(`x-${shard}.tar`),
      Array.from({ length: size }, (_, i) => [`${i}.jpg`, `${shard}/${i}`]),
    )
  const set = await webDataset(at('x-{0..2}.tar'), { index: false })
  for (const ranks of [1, 2, 3, 4, 7]) {
    for (const epoch of [0, 1]) {
      const order = await epochOrder(set.length, 1, epoch)
      const seen = await Promise.all(
        Array.from({ length: ranks }, async (_, rank) => contents(subset(set, dealToRank(order, rank, ranks)))),
      )
      expect(seen.map((images) => images.length)).toEqual(Array(ranks).fill(Math.floor(20 / ranks)))
      expect(new Set(seen.flat()).size).toBe(seen.flat().length)
    }
  }
})

test('more shards than files may be open', async () => {
  for (let shard = 0; shard < 80; shard++)
    await writeTar(at(`x-${shard}.tar`), [
      ['1.jpg', `s${shard}`],
      ['2.jpg', 'x'.repeat(100_000)],
    ])
  const set = await webDataset(at('x-{0..79}.tar'), { index: false })
  const before = (await readdir('/proc/self/fd').catch(() => [])).length
  const all = Array.from({ length: set.length }, (_, i) => set.get((i * 37) % set.length))
  const read = await Promise.all(all)
  expect(read.map((image, i) => (image as Buffer).length - ((i * 37) % 2 === 1 ? 100_000 : 0) < 5)).not.toContain(false)
  expect((await readdir('/proc/self/fd').catch(() => [])).length - before).toBeLessThanOrEqual(64)
})

test('can be aborted', async () => {
  const reason = new Error('enough')
  await expect(open([['1.jpg', 'one']], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})
