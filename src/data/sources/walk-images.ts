import type { Dirent, Stats } from 'node:fs'
import { open, opendir, realpath, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'

import { CaeError } from '../../errors.js'
import { messageOf, systemCode } from '../../io/output-error.js'
import { imageExtensions, sniffedBytes, sniffFormat } from '../image-format.js'
import { sortStrings } from './yielding-sort.js'

/** What a walk over a folder found. */
export interface FoundImages {
  /** Paths below the root with `/` between their parts, folder by folder, each sorted by code units. */
  readonly images: readonly string[]
  /** How many files were no images, by extension. */
  readonly others: ReadonlyMap<string, number>
  /** Direct sub-folders of the root without any image in them. */
  readonly emptyFolders: readonly string[]
}

/** Directory entries read at a time: few enough to leave the event loop free. */
const entriesPerRead = 512

/**
 * Lists all images below `root`: files before sub-folders, both by name. Links are followed; each real folder is read once, so loops end.
 * Hidden names are left out. An image is a file with an image's extension, whatever is in it, or one without extension that begins like one.
 * @throws {CaeError} ERR_CAE_DATA when a folder cannot be read; `signal.reason` on abort
 */
export async function walkImages(root: string, signal?: AbortSignal): Promise<FoundImages> {
  const images: string[] = []
  const others = new Map<string, number>()
  const emptyFolders: string[] = []
  const visited = new Set<string>()

  async function walk(relative: string): Promise<void> {
    const path = join(root, relative)
    const real = await readable(path, () => realpath(path))
    if (visited.has(real)) return
    visited.add(real)
    const folders: string[] = []
    const files: string[] = []
    for await (const entry of await readable(path, () => opendir(path, { bufferSize: entriesPerRead }))) {
      signal?.throwIfAborted()
      if (entry.name.startsWith('.')) continue
      const kind = await kindOf(entry, path)
      if (kind === 'folder') folders.push(entry.name)
      else if (kind === 'image') files.push(entry.name)
      else if (kind === 'other') others.set(extname(entry.name), (others.get(extname(entry.name)) ?? 0) + 1)
    }
    for (const name of await sortStrings(files)) images.push(relative + name)
    for (const name of await sortStrings(folders)) {
      const before = images.length
      await walk(`${relative}${name}/`)
      if (relative === '' && images.length === before) emptyFolders.push(name)
    }
  }

  await walk('')
  return { images, others, emptyFolders }
}

async function kindOf(entry: Dirent, folder: string): Promise<'folder' | 'image' | 'other' | 'neither'> {
  const path = join(folder, entry.name)
  const named = imageExtensions.has(extname(entry.name).toLowerCase())
  const facts: Dirent | Stats | undefined = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry
  if (facts === undefined) return named ? 'image' : 'other' // a link to nowhere: told as a bad image when it is read
  if (facts.isDirectory()) return 'folder'
  if (!facts.isFile()) return 'neither' // sockets, devices, pipes
  if (named) return 'image'
  return extname(entry.name) === '' && (await beginsLikeImage(path)) ? 'image' : 'other'
}

async function beginsLikeImage(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return false
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(sniffedBytes), 0, sniffedBytes, 0)
    const kind = sniffFormat(buffer.subarray(0, bytesRead))
    return kind !== undefined && 'format' in kind
  } finally {
    await file.close()
  }
}

async function readable<Result>(path: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read()
  } catch (error) {
    const todo = systemCode(error) === 'EACCES' ? 'make the folder readable for this user, or leave it out' : undefined
    throw new CaeError('ERR_CAE_DATA', { what: `cannot read the folder: ${messageOf(error)}`, where: path, todo }, { cause: error })
  }
}
