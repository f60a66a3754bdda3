import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { crc32c, maskedCrc32c, sha256, sha256File } from '../../src/io/checksum.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

// RFC 3720 B.4, and the check value of the CRC catalogue.
test.each([
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['0 to 31', Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ['31 to 0', Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(), 0],
])('crc32c of %s', (_, data, expected) => {
  expect(crc32c(data)).toBe(expected)
})

test('the mask rotates and adds (TFRecord)', () => {
  expect(maskedCrc32c(Buffer.from('123456789'))).toBe((((0xe3069283 >>> 15) | (0xe3069283 << 17)) + 0xa282ead8) >>> 0)
  expect(maskedCrc32c(new Uint8Array())).toBe(0xa282ead8)
})

test('sha256 of text, bytes and a file agree', async () => {
  const path = join(folder(), 'file')
  await writeFile(path, 'abc')
  const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  expect([sha256('abc'), sha256(Buffer.from('abc')), await sha256File(path)]).toEqual([expected, expected, expected])
})

test('sha256File stops when told to', async () => {
  const path = join(folder(), 'file')
  await writeFile(path, Buffer.alloc(1000))
  await expect(sha256File(path, AbortSignal.abort(new Error('enough')))).rejects.toMatchObject({ name: 'AbortError' })
})
