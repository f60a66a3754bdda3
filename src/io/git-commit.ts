import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/**
 * Commit that is checked out in the repository around a folder, or undefined where there is none. Read from the repository's own files:
 * starting git costs 40 ms of the event loop once the tensor library is in the process.
 */
export async function gitCommit(folder: string): Promise<string | undefined> {
  const git = await findGit(resolve(folder))
  const head = git && (await read(join(git, 'HEAD')))
  const ref = head?.match(/^ref: (.+)$/)?.[1]
  if (!git || !ref) return head
  const shared = resolve(git, (await read(join(git, 'commondir'))) ?? '.') // of a worktree: where branches are
  return (await read(join(shared, ref))) ?? packedRef(await read(join(shared, 'packed-refs')), ref)
}

async function findGit(folder: string): Promise<string | undefined> {
  const path = join(folder, '.git')
  if (await read(join(path, 'HEAD'))) return path
  const link = (await read(path))?.match(/^gitdir: (.+)$/)?.[1] // a worktree or a submodule
  if (link) return resolve(folder, link)
  return dirname(folder) === folder ? undefined : findGit(dirname(folder))
}

function packedRef(packed: string | undefined, ref: string): string | undefined {
  const line = packed?.split('\n').find((entry) => entry.endsWith(` ${ref}`))
  return line?.slice(0, line.indexOf(' '))
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
}
