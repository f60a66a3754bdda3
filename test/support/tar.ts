import { writeFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'

interface Header {
  readonly name: string
  readonly type?: 'directory' | 'symlink' | 'link'
  readonly linkname?: string
}

/** Members of an archive in their order: a name or a whole header, and content. */
export type Members = readonly (readonly [header: string | Header, content: string | Uint8Array])[]

/** The bytes of a tar archive. */
export async function tar(members: Members): Promise<Buffer> {
  const archive = pack()
  const bytes = buffer(archive)
  for (const [header, content] of members) {
    const { name, ...rest } = typeof header === 'string' ? { name: header } : header
    archive.entry({ name, mtime: new Date(0), ...rest }, Buffer.from(content))
  }
  archive.finalize()
  return bytes
}

export async function writeTar(path: string, members: Members): Promise<void> {
  await writeFile(path, await tar(members))
}
