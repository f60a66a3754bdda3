import { setTimeout as delay } from 'node:timers/promises'

import { CaeError } from '../../errors.js'
import { messageOf } from '../../io/output-error.js'
import type { AtMost } from './at-most.js'
import type { ByteSource } from './byte-source.js'

/** How a web server is asked. */
export interface HttpOptions {
  /** Sent with each request: `{ authorization: 'Bearer ...' }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** A request that nothing comes from for so long is given up. Default: 30,000. */
  readonly timeoutMs?: number | undefined
  /** How often a request is made before its failure counts; only what may pass is tried again: status 408, 429 and 5xx, broken connections. Default: 4. */
  readonly attempts?: number | undefined
  /** Wait before the second attempt; doubled for each one after. Default: 250. */
  readonly retryMs?: number | undefined
}

/** Requests in flight at a time for one set: a server's patience, and the local ports, have limits. */
export const requestsAtOnce = 16

/** A request costs a server's latency, so that blocks are larger than those of files. */
const blockBytes = 4 << 20

/** A failure that may pass. */
class PassingError extends Error {}

/** The bytes of a file on a web server, by range requests. */
interface Answer {
  readonly bytes: Buffer
  /** Of the whole file. */
  readonly size: number
  readonly version: string | undefined
}

/**
 * A file on a web server that answers range requests.
 * @throws {CaeError} ERR_CAE_DATA when it does not, or the file is not there; `signal.reason` on abort
 */
export async function openHttpBytes(url: string, turns: AtMost, options: HttpOptions = {}, signal?: AbortSignal): Promise<ByteSource> {
  const ask = (offset: number, length: number, abort?: AbortSignal) => turns.run(() => withRetries(url, offset, length, options, abort))
  const { size, version } = await ask(0, 1, signal)
  return {
    name: url,
    size,
    version,
    blockBytes,
    async read(offset, length, abort) {
      if (length === 0) return Buffer.alloc(0)
      const answer = await ask(offset, length, abort)
      if (answer.size === size && answer.version === version) return answer.bytes
      throw new Error(`${url} has changed since it was opened`)
    },
  }
}

async function withRetries(url: string, offset: number, length: number, options: HttpOptions, signal?: AbortSignal): Promise<Answer> {
  const { attempts = 4, retryMs = 250 } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await request(url, offset, length, options, signal)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof CaeError) throw error
      if (!(error instanceof PassingError) || attempt >= attempts) throw unreachable(url, messageOf(error), attempt, error)
      await delay(retryMs * 2 ** (attempt - 1), undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted())
    }
  }
}

async function request(url: string, offset: number, length: number, options: HttpOptions, signal?: AbortSignal): Promise<Answer> {
  const { timeoutMs = 30_000, headers = {} } = options
  const stop = new AbortController()
  const late = new PassingError(`nothing came for ${timeoutMs / 1000} s`)
  const timer = setTimeout(() => stop.abort(late), timeoutMs)
  const abort = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const response = await fetch(url, {
      headers: { ...headers, range: `bytes=${offset}-${offset + length - 1}`, 'accept-encoding': 'identity' },
      signal: stop.signal,
    })
    const size = sizeOf(response, url)
    const chunks: Uint8Array[] = []
    let count = 0
    for await (const chunk of response.body ?? []) {
      timer.refresh()
      chunks.push(chunk)
      count += chunk.byteLength
      if (count > length) throw unreachable(url, `the server sent more than the ${length} bytes asked for`)
    }
    const [only] = chunks
    const bytes = chunks.length === 1 && only ? Buffer.from(only.buffer, only.byteOffset, only.byteLength) : Buffer.concat(chunks)
    if (count < Math.min(length, size - offset)) throw new PassingError(`the connection ended after ${count} of ${length} bytes`)
    return { bytes, size, version: response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined }
  } catch (error) {
    if (stop.signal.aborted) throw stop.signal.reason
    if (error instanceof CaeError || error instanceof PassingError) throw error
    // `fetch` says "fetch failed" and keeps the reason as cause; a body that breaks off is "terminated".
    throw new PassingError(causeOf(error), { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    stop.abort() // ends a body that was not read to its end
  }
}

/** Size of the whole file, from `Content-Range`. */
function sizeOf(response: Response, url: string): number {
  const { status } = response
  if (status === 200) {
    throw new CaeError('ERR_CAE_DATA', {
      what: 'the server does not answer range requests: it sends the whole file',
      where: url,
      todo: 'use a server that does (most do, of static files), or a local copy',
    })
  }
  const [, total] = /^bytes (?:\*|\d+-\d+)\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? []
  if (status === 416 && total === '0') throw new CaeError('ERR_CAE_DATA', { what: 'the file is empty: 0 bytes', where: url })
  if (status === 206 && total !== undefined) return Number(total)
  if (status === 206) throw unreachable(url, 'the server does not tell the size of the file (Content-Range)')
  if (status >= 500 || status === 429 || status === 408) throw new PassingError(`the server answered ${status}`)
  throw unreachable(url, `the server answered ${status}`)
}

function unreachable(url: string, reason: string, attempts = 1, cause?: unknown): CaeError {
  const tried = attempts > 1 ? ` (tried ${attempts} times)` : ''
  return new CaeError('ERR_CAE_DATA', { what: `cannot read from the server: ${reason}${tried}`, where: url }, { cause })
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`
}
