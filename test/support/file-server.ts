import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A web server of files in memory. */
export interface FileServer extends AsyncDisposable {
  /** Of a file, by name. */
  url(name: string): string
  /** `name from-to` of every range that was asked for. */
  readonly asked: string[]
}

/** What happens instead of an answer; false for an answer. */
export type Trouble = (request: IncomingMessage, response: ServerResponse) => boolean

/** Serves `files` by name, with ranges unless `ranges` is false. */
export async function serveFiles(
  files: Readonly<Record<string, Uint8Array>>,
  { ranges = true, trouble = () => false }: { readonly ranges?: boolean; readonly trouble?: Trouble } = {},
): Promise<FileServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? '').slice(1))
    const file = files[name]
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    asked.push(`${name} ${from}-${to}`)
    if (trouble(request, response)) return
    if (file === undefined) return void response.writeHead(404).end()
    const etag = `"${file.length}-${file.reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 7)}"`
    if (!ranges || from === undefined) return void response.writeHead(200, { etag }).end(file)
    const first = Number(from)
    if (first >= file.length) return void response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end()
    const last = Math.min(Number(to), file.length - 1)
    response.writeHead(206, { etag, 'content-range': `bytes ${first}-${last}/${file.length}` }).end(file.subarray(first, last + 1))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    asked,
    url: (name) => `http://127.0.0.1:${port}/${name}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
