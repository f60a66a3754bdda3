import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import type { BadImage } from '../../src/data/bad-images.js'
import type { Dataset, ImageInput } from '../../src/data/dataset.js'
import { createDecoder, decodeDefaults } from '../../src/data/decode.js'
import { PixelPool } from '../../src/data/pixel-pool.js'
import { SampleSource } from '../../src/data/sample-source.js'
import { CaeError } from '../../src/errors.js'
import { until } from '../support/event-loop.js'
import { drawImage } from '../support/images.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const never = () => new Promise<ImageInput>(() => undefined)
const decoder = () => createDecoder(decodeDefaults)

/** Image 1 is asked for through `stalled`; the others are drawn. */
async function sourceOf(stalled: Dataset['get'], change: { readTimeout?: number; signal?: AbortSignal } = {}) {
  const dataset: Dataset = {
    length: 4,
    get: (index, signal) => (index === 1 ? stalled(index, signal) : Promise.resolve(drawImage(index))),
    name: (index) => `image-${index}`,
  }
  const signal = change.signal ?? new AbortController().signal
  const { readTimeout = 0.05 } = change
  const pool = new PixelPool(0)
  return new SampleSource({ dataset, decoder: await decoder(), pool, cacheSize: 'off', imagesInUse: 4, readTimeout, signal })
}

async function recordOf(source: SampleSource, index = 1): Promise<BadImage | undefined> {
  const opened = await source.open(index)
  return opened instanceof CaeError ? source.record(index, opened) : undefined
}

test('a read that never ends is begun three times, each called off, and then the image is bad', async () => {
  const signals: (AbortSignal | undefined)[] = []
  const source = await sourceOf((_, signal) => {
    signals.push(signal)
    return never()
  })
  await source.open(0) // from the first image that is waited for, each read has a signal of its own
  expect(await recordOf(source)).toEqual({
    index: 1,
    name: 'image-1',
    code: 'ETIMEDOUT',
    reason: 'reading the image took longer than readTimeout, 0.05 s, 3 times',
  })
  expect(signals.map((signal) => signal?.aborted)).toEqual([true, true, true])
})

test('a second try that is answered makes a good image', async () => {
  let asked = 0
  const source = await sourceOf(() => (++asked === 1 ? never() : Promise.resolve(drawImage(1))))
  expect(await recordOf(source)).toBeUndefined()
  expect(asked).toBe(2)
})

test('an answer that comes too late is let go', async () => {
  const late: ((image: ImageInput) => void)[] = []
  const source = await sourceOf(() => new Promise((resolve) => late.push(resolve)))
  expect(await recordOf(source)).toMatchObject({ code: 'ETIMEDOUT' })
  for (const resolve of late) resolve(drawImage(1))
  expect(await recordOf(source, 2)).toBeUndefined()
})

test('a failure is no stall: it is not tried again', async () => {
  let asked = 0
  const source = await sourceOf(() => {
    asked++
    return Promise.reject(new Error('gone'))
  })
  expect(await recordOf(source)).toMatchObject({ code: 'ERR_CAE_BAD_IMAGE', reason: 'gone' })
  expect(asked).toBe(1)
})

test('an abort ends the wait with its reason', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const source = await sourceOf(never, { readTimeout: 3600, signal: controller.signal })
  const opening = source.open(1)
  controller.abort(reason)
  await expect(opening).rejects.toBe(reason)
})

test('a storage on which every read hangs ends it all, and is named', async () => {
  const path = join(folder(), 'image.jpg')
  await writeFile(path, Buffer.alloc(300_000))
  const hung = { ...(await decoder()), open: () => new Promise<never>(() => undefined), isStuck: (ms: number) => ms === 50 }
  const source = new SampleSource({
    ...{ dataset: { length: 1, get: () => path }, decoder: hung, pool: new PixelPool(0), cacheSize: 'off', imagesInUse: 1 },
    ...{ readTimeout: 0.05, signal: new AbortController().signal },
  })
  await expect(source.open(0)).rejects.toMatchObject({ code: 'ERR_CAE_DATA', message: expect.stringMatching(/storage.*does not answer/) })
})

describe('over HTTP', () => {
  let server: Server
  let open = 0
  const requests: string[] = []

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = request.url ?? ''
      requests.push(path)
      open++
      response.on('close', () => open--)
      if (path === '/1') response.writeHead(200, { 'content-length': '1000' }).write('a beginning, and nothing more')
      else if (path !== '/2') response.writeHead(404).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  test.each([
    ['hangs in mid-file', 1],
    ['takes the request and says nothing', 2],
  ])('a server that %s: three requests, all closed again', async (_, path) => {
    requests.length = 0
    const { port } = server.address() as AddressInfo
    const slow = { readTimeout: 0.4 } // time enough for each request to arrive
    const source = await sourceOf(async (_index, signal) => {
      const response = await fetch(`http://127.0.0.1:${port}/${path}`, signal ? { signal } : {})
      return new Uint8Array(await response.arrayBuffer())
    }, slow)
    await source.open(0)
    expect(await recordOf(source)).toMatchObject({ code: 'ETIMEDOUT' })
    expect(requests).toEqual([`/${path}`, `/${path}`, `/${path}`])
    await until(() => open === 0)
  })
})
