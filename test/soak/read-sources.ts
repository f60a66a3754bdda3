import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import type { Dataset } from '../../src/data/dataset.js'
import { FileReader } from '../../src/data/file-reader.js'
import { epochOrder, identity } from '../../src/data/order.js'
import { imageFolder } from '../../src/data/sources/image-folder.js'
import { parquet } from '../../src/data/sources/parquet.js'
import { webDataset } from '../../src/data/sources/web-dataset.js'
import { writeImageTable } from '../support/parquet.js'
import { writeTar } from '../support/tar.js'

/** Two kinds of sets: how many images, and bytes of each. */
const sets = [
  { name: '32-pixel JPEG', images: 20_000, bytes: 1_500 },
  { name: 'photos', images: 2_000, bytes: 100_000 },
]

/** Images read ahead, as the loader does. */
const ahead = 64

/**
 * Images a second that `set` gives in this order: what the loader asks for before it decodes.
 * @throws {Error} when an image has other than `bytes` bytes
 */
async function rate(set: Dataset, order: Uint32Array, bytes: number): Promise<number> {
  const reader = new FileReader()
  const start = performance.now()
  const begun: Promise<void>[] = []
  const read = async (index: number) => {
    const given = await set.get(index)
    const content = typeof given === 'string' ? await reader.read(given) : given
    if (!(content instanceof Uint8Array) || content.length !== bytes) throw new Error(`image ${index} has other than ${bytes} bytes`)
  }
  for (const index of order) {
    begun.push(read(index))
    if (begun.length >= ahead) await begun.shift()
  }
  await Promise.all(begun)
  return order.length / ((performance.now() - start) / 1000)
}

/**
 * Reads the same images from files, tar and Parquet, in order and shuffled, in turn: `npm run soak:read -- [--rounds N] [--share S]`, with S of the
 * images. Prints the median rates, and fails where an image is not whole.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, share: { type: 'string', default: '1' } } })
  const rounds = Number(values.rounds)
  for (const { name, images: most, bytes } of sets) {
    const images = 2 * Math.ceil((most * Number(values.share)) / 2)
    const root = mkdtempSync(join(tmpdir(), 'cae-read-'))
    try {
      const content = Array.from({ length: images }, () => randomBytes(bytes)) // as little to compress as a JPEG
      mkdirSync(join(root, 'files'))
      for (const [i, image] of content.entries()) writeFileSync(join(root, 'files', `${String(i).padStart(6, '0')}.jpg`), image)
      const half = images / 2
      for (const shard of [0, 1]) {
        const part = content.slice(shard * half, (shard + 1) * half)
        await writeTar(
          join(root, `x-${shard}.tar`),
          part.map((image, i) => [`${i}.jpg`, image]),
        )
        const rows = { images: part.map((image) => ({ bytes: image, path: null })) }
        await writeImageTable(join(root, `plain-${shard}.parquet`), rows, { codec: 'UNCOMPRESSED', encoding: 'PLAIN' })
        await writeImageTable(join(root, `snappy-${shard}.parquet`), rows, { codec: 'SNAPPY', encoding: 'PLAIN' })
      }
      const sources: Record<string, Dataset> = {
        files: await imageFolder(join(root, 'files')),
        tar: await webDataset(join(root, 'x-{0..1}.tar'), { index: false }),
        'parquet, no codec': await parquet(join(root, 'plain-{0..1}.parquet')),
        'parquet, snappy': await parquet(join(root, 'snappy-{0..1}.parquet')),
      }
      const rates: Record<string, number[]> = {}
      for (let round = 0; round < rounds; round++) {
        for (const [source, set] of Object.entries(sources)) {
          for (const [order, places] of Object.entries({ sequential: identity(images), shuffled: await epochOrder(images, 1, round) })) {
            const key = `${source}, ${order}`
            rates[key] = [...(rates[key] ?? []), await rate(set, places, bytes)]
          }
        }
      }
      for (const [key, all] of Object.entries(rates)) {
        const sorted = all.sort((a, b) => a - b)
        process.stdout.write(`${JSON.stringify({ set: name, source: key, imagesPerSecond: Math.round(sorted[rounds >> 1] ?? 0) })}\n`)
      }
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
