import { createWriteStream } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { CaeError } from '../errors.js'
import type { Environment } from './cache-folder.js'

const mostRedirects = 5
const idleMs = 30_000

export interface DownloadOptions {
  readonly env: Environment
  readonly signal?: AbortSignal | undefined
}

/**
 * Downloads a file, through the proxy of `HTTPS_PROXY` / `HTTP_PROXY` when there is one (`NO_PROXY` excepted), and sees to it that all of it came.
 * @throws {CaeError} ERR_CAE_SETUP naming the address
 */
export async function download(url: string, target: string, options: DownloadOptions): Promise<void> {
  try {
    const response = await follow(new URL(url), options)
    await pipeline(response, createWriteStream(target))
    if (!response.complete) throw new Error('the connection ended early')
  } catch (error) {
    options.signal?.throwIfAborted()
    const reason = error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code) : String(error)
    throw new CaeError(
      'ERR_CAE_SETUP',
      { what: `download failed: ${reason}`, where: url, todo: 'look at the network and at HTTPS_PROXY' },
      { cause: error },
    )
  }
}

async function follow(url: URL, options: DownloadOptions, redirects = 0): Promise<http.IncomingMessage> {
  const response = await get(url, options)
  const { statusCode = 0, headers } = response
  if (statusCode === 200) return response
  response.resume()
  if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined && redirects < mostRedirects) {
    return follow(new URL(headers.location, url), options, redirects + 1)
  }
  throw new Error(`the server answered ${statusCode}`)
}

async function get(url: URL, options: DownloadOptions): Promise<http.IncomingMessage> {
  const proxy = proxyFor(url, options.env)
  const isSecure = url.protocol === 'https:'
  const socket = proxy === undefined ? undefined : await tunnel(url, proxy)
  const viaTunnel = socket === undefined ? {} : isSecure ? { socket, agent: false as const } : { createConnection: () => socket }
  const { request } = isSecure ? https : http
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { ...viaTunnel, timeout: idleMs, ...(options.signal === undefined ? {} : { signal: options.signal }) },
      resolve,
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`nothing came for ${idleMs / 1000} s`)))
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** The proxy for an address, by the usual variables in either case; Node itself reads none of them before version 24. */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const exempt = (env.NO_PROXY ?? env.no_proxy ?? '').split(',').map((name) => name.trim().replace(/^\*?\./, ''))
  if (exempt.some((name) => name === '*' || (name !== '' && (url.hostname === name || url.hostname.endsWith(`.${name}`))))) return undefined
  const secure = env.HTTPS_PROXY ?? env.https_proxy
  const proxy = (url.protocol === 'https:' ? secure : (env.HTTP_PROXY ?? env.http_proxy)) ?? env.ALL_PROXY ?? env.all_proxy
  return proxy === undefined || proxy === '' ? undefined : new URL(proxy.includes('://') ? proxy : `http://${proxy}`)
}

/** A connection to `url`'s host that the proxy passes through (HTTP CONNECT). */
function tunnel(url: URL, proxy: URL): Promise<Socket> {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const credentials = proxy.username === '' ? undefined : `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const headers = credentials === undefined ? {} : { 'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }
  return new Promise((resolve, reject) => {
    const connect = http.request({
      host: proxy.hostname,
      port: proxy.port || '80',
      method: 'CONNECT',
      path: `${url.hostname}:${port}`,
      headers,
      timeout: idleMs,
      agent: false,
    })
    connect.on('connect', (response, socket) => {
      if (response.statusCode === 200) resolve(socket)
      else reject(new Error(`the proxy ${proxy.host} answered ${response.statusCode}`))
    })
    connect.on('timeout', () => connect.destroy(new Error(`the proxy ${proxy.host} does not answer`)))
    connect.on('error', reject)
    connect.end()
  })
}
