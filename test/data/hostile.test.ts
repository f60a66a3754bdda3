import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { decodeImage } from '../../src/data/decode.js'
import { CaeError } from '../../src/errors.js'
import { unpackedArchive } from '../support/shared-data.js'

/** What a strict reader made of a file: see the set's own description. */
interface HostileFile {
  readonly file: string
  readonly expect: 'decode' | 'either' | 'reject' | 'limit'
  readonly upright_size: readonly [number, number]
  readonly rgb_mean: readonly [number, number, number]
}

const root = unpackedArchive('data/hostile-images.tar.gz')
const files: HostileFile[] = root === undefined ? [] : JSON.parse(readFileSync(join(root, 'hostile/manifest.json'), 'utf8')).files

function meansOf(data: Uint8Array): number[] {
  const sums = [0, 0, 0]
  for (let at = 0; at < data.length; at++) sums[at % 3] = (sums[at % 3] ?? 0) + (data[at] ?? 0)
  return sums.map((sum) => sum / (data.length / 3))
}

/** The decoded image, or the error; anything but a coded error fails the test. */
async function attempt(path: string) {
  try {
    return await decodeImage(path)
  } catch (error) {
    if (!(error instanceof CaeError)) throw error
    expect(error).toMatchObject({ code: 'ERR_CAE_BAD_IMAGE', parts: { where: path } })
    return error
  }
}

const describeFiles = root === undefined ? describe.skip : describe
describeFiles('files that break loaders', () => {
  const start = process.memoryUsage.rss()

  test.each(files.map((file) => [file.file, file] as const))(
    '%s',
    async (name, file) => {
      const result = await attempt(join(root ?? '', 'hostile', name))
      if (result instanceof CaeError) {
        const allowed = file.expect !== 'decode' || result.message.includes('unsupported format: BMP')
        expect(allowed ? 'an error' : result.message).toBe('an error')
      } else {
        expect(['decode', 'either']).toContain(file.expect)
        expect(result.data).toHaveLength(3 * result.width * result.height)
        if (file.expect === 'decode') {
          expect([result.width, result.height]).toEqual(file.upright_size)
          const off = meansOf(result.data).map((mean, channel) => Math.abs(mean - (file.rgb_mean[channel] ?? Number.NaN)))
          expect(Math.max(...off)).toBeLessThanOrEqual(1.5)
        }
      }
    },
    2000,
  )

  test('no file costs much memory', () => {
    expect((process.memoryUsage.rss() - start) / 2 ** 20).toBeLessThan(256)
  })
})
