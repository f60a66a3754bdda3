import type { Dataset } from '../../../src/data/dataset.js'
import { openData } from '../../../src/data/sources/registry.js'
import { webDataset } from '../../../src/data/sources/web-dataset.js'
import { serveFiles, type Trouble } from '../../support/file-server.js'
import { tar } from '../../support/tar.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder()
const image = (i: number) => Buffer.alloc(3000 + i, i)
const images = 400

async function shards(): Promise<Record<string, Uint8Array>> {
  const members = (shard: number) => Array.from({ length: images / 2 }, (_, i) => [`${i}.jpg`, image(shard * 200 + i)] as const)
  return { 'x-0.tar': await tar(members(0)), 'x-1.tar': await tar(members(1)) }
}

const quick = { retryMs: 1, timeoutMs: 200 }

async function expectAll(set: Dataset, order = (i: number) => i): Promise<void> {
  const places = Array.from({ length: images }, (_, i) => order(i))
  const read = await Promise.all(places.map((place) => set.get(place)))
  expect(read.every((bytes, i) => Buffer.compare(bytes as Buffer, image(places[i] ?? -1)) === 0)).toBe(true)
}

test('reads shards by ranges: in order by large ones, else an image each', async () => {
  await using server = await serveFiles(await shards())
  const set = await webDataset(server.url('x-{0..1}.tar'), { index: folder() })
  expect([set.length, set.name?.(201)]).toEqual([images, `${server.url('x-1.tar')}/1.jpg`])
  server.asked.length = 0
  await expectAll(set)
  expect(server.asked.length).toBeLessThan(10)
  const other = await webDataset(server.url('x-{0..1}.tar'), { index: folder() })
  server.asked.length = 0
  await expectAll(other, (i) => (i * 171 + 5) % images)
  expect(server.asked.length).toBeGreaterThan(images / 2)
})

test('the index is kept by the server’s tag', async () => {
  const files = await shards()
  await using server = await serveFiles(files)
  await webDataset(server.url('x-0.tar'), { index: folder() })
  server.asked.length = 0
  await webDataset(server.url('x-0.tar'), { index: folder() })
  expect(server.asked).toEqual(['x-0.tar 0-0'])
  files['x-0.tar'] = await tar([['new.jpg', 'new']])
  expect((await webDataset(server.url('x-0.tar'), { index: folder() })).length).toBe(1)
})

test('a shard that changes on the server is an error, not another image', async () => {
  const files = await shards()
  await using server = await serveFiles(files)
  const set = await webDataset(server.url('x-0.tar'), { index: false })
  files['x-0.tar'] = files['x-1.tar'] ?? Buffer.alloc(0)
  await expect(set.get(50)).rejects.toThrow(/has changed since it was opened/)
})

test('a server without range requests is told, before anything is read', async () => {
  await using server = await serveFiles(await shards(), { ranges: false })
  await expect(webDataset(server.url('x-0.tar'), { index: false })).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/does not answer range requests[\s\S]*x-0\.tar[\s\S]*local copy/),
  })
  expect(server.asked).toHaveLength(1)
})

/** Trouble at every nth request. */
function every(n: number, trouble: Trouble): Trouble {
  let count = 0
  return (request, response) => ++count % n === 0 && trouble(request, response)
}

const passing: [name: string, trouble: Trouble][] = [
  ['status 503', (_, response) => Boolean(response.writeHead(503).end())],
  ['status 429', (_, response) => Boolean(response.writeHead(429).end())],
  ['a connection that is reset', (request) => Boolean(request.socket.destroy())],
  ['silence', () => true],
  [
    'a body that ends early',
    (_, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-99/400000', 'content-length': '100' }).flushHeaders()
      setImmediate(() => response.destroy())
      return true
    },
  ],
]
test.each(passing)('%s is tried again', async (_, trouble) => {
  await using server = await serveFiles(await shards(), { trouble: every(3, trouble) })
  const set = await webDataset(server.url('x-{0..1}.tar'), { index: false, http: { ...quick, attempts: 6 } })
  await expectAll(set)
  await Promise.all([7, 300, 20].map(async (place) => expect(await set.get(place)).toEqual(image(place))))
})

test.each(passing)('%s for ever ends after the attempts', async (_, trouble) => {
  await using server = await serveFiles(await shards(), { trouble })
  await expect(webDataset(server.url('x-0.tar'), { index: false, http: { ...quick, attempts: 3 } })).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/cannot read from the server: .*\(tried 3 times\)[\s\S]*x-0\.tar/),
  })
  expect(server.asked).toHaveLength(3)
})

test('what will not pass is not tried again', async () => {
  await using server = await serveFiles({})
  await expect(webDataset(server.url('x-0.tar'), { index: false, http: quick })).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/the server answered 404/),
  })
  expect(server.asked).toHaveLength(1)
})

test('headers are sent, for servers that want to know who asks', async () => {
  const seen = new Set<string | undefined>()
  const trouble: Trouble = ({ headers }) => {
    seen.add(headers.authorization)
    return false
  }
  await using server = await serveFiles(await shards(), { trouble })
  await webDataset(server.url('x-0.tar'), { index: false, http: { headers: { authorization: 'Bearer x' } } })
  expect([...seen]).toEqual(['Bearer x'])
})

test('a request in flight ends with the signal, and leaves no listener', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const trouble: Trouble = () => {
    setImmediate(() => controller.abort(reason))
    return true
  }
  await using server = await serveFiles({}, { trouble })
  await expect(webDataset(server.url('x-0.tar'), { index: false, signal: controller.signal })).rejects.toBe(reason)
})

test('openData takes URLs of shards, and says what URLs it takes', async () => {
  process.env.XDG_CACHE_HOME = folder()
  await using server = await serveFiles(await shards())
  expect((await openData(server.url('x-{0..1}.tar'))).length).toBe(images)
  expect((await openData(`${server.url('x-0.tar')}`)).length).toBe(images / 2)
  await expect(openData(server.url('photos/'))).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/tar shards or Parquet/),
  })
  delete process.env.XDG_CACHE_HOME
})
