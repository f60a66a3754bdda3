import { existsSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { type AddressInfo, connect, type Server } from 'node:net'
import { join } from 'node:path'
import { download, proxyFor } from '../../src/setup/download.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const temporary = temporaryFolder()
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** Starts a server on this machine; its address. */
async function serve(server: http.Server): Promise<string> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const files = () =>
  http.createServer((request, response) => {
    if (request.url === '/file') response.end('content')
    else if (request.url === '/moved') response.writeHead(302, { location: '/file' }).end()
    else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end()
    else if (request.url === '/cut') response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy())
    else response.writeHead(404).end()
  })

describe('download', () => {
  const target = () => join(temporary(), 'file')

  test('writes the file, also behind a redirect', async () => {
    const address = await serve(files())
    await download(`${address}/moved`, target(), { env: {} })
    expect(readFileSync(target(), 'utf8')).toBe('content')
  })

  test('goes through the proxy of the environment', async () => {
    const address = await serve(files())
    const passed: string[] = []
    const proxy = http.createServer()
    proxy.on('connect', (request, client) => {
      passed.push(`${request.url} ${request.headers['proxy-authorization']}`)
      const { hostname, port } = new URL(`http://${request.url}`)
      const upstream = connect(Number(port), hostname, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n')
        upstream.pipe(client).pipe(upstream)
      })
    })
    const proxyAddress = (await serve(proxy)).replace('http://', 'http://user:secret@')
    await download(`${address}/file`, target(), { env: { HTTP_PROXY: proxyAddress } })
    expect(readFileSync(target(), 'utf8')).toBe('content')
    expect(passed).toEqual([`${new URL(address).host} Basic ${Buffer.from('user:secret').toString('base64')}`])
  })

  test.each([
    ['/none', /answered 404/],
    ['/cut', /download failed/],
    ['/loop', /answered 302/],
  ])('%s ends in a coded error that names the address', async (path, message) => {
    const url = `${await serve(files())}${path}`
    const failure = download(url, target(), { env: {} })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_CAE_SETUP', message: expect.stringMatching(message), parts: { where: url } })
  })

  test('a proxy that is not there is named', async () => {
    const failure = download('http://example.invalid/x', target(), { env: { http_proxy: 'http://127.0.0.1:9' } })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_CAE_SETUP' })
    expect(existsSync(target())).toBe(false)
  })
})

test('proxies are chosen as curl does', () => {
  const https = new URL('https://download.example.org/x')
  expect(proxyFor(https, {})).toBeUndefined()
  expect(proxyFor(https, { HTTPS_PROXY: 'proxy:3128' })?.host).toBe('proxy:3128')
  expect(proxyFor(https, { HTTP_PROXY: 'http://proxy:3128' })).toBeUndefined()
  expect(proxyFor(https, { https_proxy: 'http://proxy:3128', NO_PROXY: 'localhost, .example.org' })).toBeUndefined()
  expect(proxyFor(https, { https_proxy: 'http://proxy:3128', no_proxy: 'example.com' })?.port).toBe('3128')
})
