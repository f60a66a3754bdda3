import { CaeError } from '../../errors.js'
import { AtMost } from './at-most.js'
import { openFileBytes } from './file-bytes.js'
import { type HttpOptions, openHttpBytes, requestsAtOnce } from './http-bytes.js'
import { OpenFiles } from './open-files.js'

/** Bytes that can be read anywhere: of a file, or of a file on a web server. */
export interface ByteSource {
  /** Path or URL, as it was given. */
  readonly name: string
  readonly size: number
  /** Changes when the content does: the time of the last change, or the server's tag. Undefined where a server tells nothing. */
  readonly version: string | undefined
  /** Bytes worth reading at a time where those that follow will be wanted as well. */
  readonly blockBytes: number
  /**
   * `length` bytes from `offset`: at once where that takes microseconds.
   * @throws or rejects with what the system or the server said; where there are not so many bytes; where the content has changed
   */
  read(offset: number, length: number, signal?: AbortSignal): Buffer | Promise<Buffer>
}

/** Where shards may lie, and how to ask for them. */
export interface ByteSourceOptions {
  readonly signal?: AbortSignal | undefined
  /** For shards on web servers. */
  readonly http?: HttpOptions | undefined
}

/** Whether a location is on the web. */
export function isUrl(location: string): boolean {
  return /^https?:\/\//i.test(location)
}

/** Opened at a time: enough to hide a server's latency. */
const openedAtOnce = 8

/**
 * Opens files and URLs, a few at a time, and makes something of each.
 * @returns what `use` made, in the order of `locations`
 * @throws {CaeError} ERR_CAE_DATA when one cannot be opened; `signal.reason` on abort
 */
export async function openByteSources<Result>(
  locations: readonly string[],
  options: ByteSourceOptions,
  use: (source: ByteSource) => Promise<Result>,
): Promise<Result[]> {
  const files = new OpenFiles()
  const requests = new AtMost(requestsAtOnce)
  const opening = new AtMost(openedAtOnce)
  const failed = new AbortController() // one failure is enough: the others need not be begun
  return Promise.all(
    locations.map((location) =>
      opening.run(async () => {
        options.signal?.throwIfAborted()
        failed.signal.throwIfAborted()
        try {
          const source = isUrl(location)
            ? await openHttpBytes(location, requests, options.http, options.signal)
            : await openFileBytes(location, files)
          return await use(source)
        } catch (error) {
          failed.abort(error)
          throw error
        }
      }),
    ),
  )
}

/** The error of a file or URL that is not what it should be. */
export function badSource(source: Pick<ByteSource, 'name'>, what: string, todo?: string): CaeError {
  return new CaeError('ERR_CAE_DATA', { what, where: source.name, todo })
}
