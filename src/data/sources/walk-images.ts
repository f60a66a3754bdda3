import type { Dirent, Stats } from 'node:fs'
import { open, opendir, realpath, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'

import { CaeError } from '../../errors.js'
import { messageOf, systemCode } from '../../io/output-error.js'
import { imageExtensions, sniffedBytes, sniffFormat } from '../image-format.js'
import { PackedStrings } from '../packed-strings.js'
import { SortedNames } from './sorted-names.js'

/** What a walk over a folder found. */
export interface FoundImages {
  /** Paths below the root with `/` between their parts, folder by folder, each sorted by code units. */
  readonly images: PackedStrings
  /** Images in the root itself: the first ones. */
  readonly inRoot: number
  /** Direct sub-folders of the root with images in them, and the first image of each. */
  readonly folders: readonly { readonly name: string; readonly first: number }[]
  /** Direct sub-folders without any. */
  readonly emptyFolders: readonly string[]
  /** How many files were no images, by extension. */
  readonly others: ReadonlyMap<string, number>
}

/** Directory entries read at a time: few enough to leave the event loop free. */
const entriesPerRead = 512

/**
 * Lists all images below `root`: files before sub-folders, both by name. Links are followed; each real folder is read once, so loops end.
 * Hidden names are left out. An image is a file with an image's extension, whatever is in it, or one without extension that begins like one.
 * @throws {CaeError} ERR_CAE_DATA when a folder cannot be read; `signal.reason` on abort
 */
export async function walkImages(root: string, signal?: AbortSignal): Promise<FoundImages> {
  const images = new PackedStrings()
  const others = new Map<string, number>()
  const visited = new Set<string>()

  /** Adds the images of one folder, and gives the names of its sub-folders. */
  async function list(relative: string): Promise<PackedStrings> {
    const folders = new PackedStrings()
    const path = join(root, relative)
    const real = await readable(path, () => realpath(path))
    if (visited.has(real)) return folders
    visited.add(real)
    const [foundFolders, foundFiles] = [new SortedNames(), new SortedNames()]
    for await (const entries of entriesOf(path)) {
      signal?.throwIfAborted()
      for (const entry of entries) {
        const { name } = entry
        if (name.startsWith('.')) continue
        const kind = isNamedImage(entry) ? 'image' : await kindOf(entry, path)
        if (kind === 'folder') foundFolders.add(name)
        else if (kind === 'image') foundFiles.add(name)
        else if (kind === 'other') others.set(extname(name), (others.get(extname(name)) ?? 0) + 1)
      }
    }
    for await (const names of foundFiles.inOrder()) for (const name of names) images.push(relative + name)
    for await (const names of foundFolders.inOrder()) for (const name of names) folders.push(name)
    return folders
  }

  async function walk(relative: string): Promise<void> {
    const names = await list(relative)
    for (let at = 0; at < names.length; at++) await walk(`${relative}${names.at(at)}/`)
  }

  const names = await list('')
  const inRoot = images.length
  const folders: { name: string; first: number }[] = []
  const emptyFolders: string[] = []
  for (let at = 0; at < names.length; at++) {
    const name = names.at(at) ?? ''
    const first = images.length
    await walk(`${name}/`)
    if (images.length > first) folders.push({ name, first })
    else emptyFolders.push(name)
  }
  return { images, inRoot, folders, emptyFolders, others }
}

/** A folder's entries, some hundred at a time: a promise for each would take longer than all the rest. */
async function* entriesOf(path: string): AsyncGenerator<readonly Dirent[]> {
  const folder = await readable(path, () => opendir(path, { bufferSize: entriesPerRead }))
  try {
    for (let first = await folder.read(); first !== null; first = await folder.read()) {
      const entries = [first]
      // Read with the first, they are there already.
      for (let next = folder.readSync(); next !== null; next = entries.length < entriesPerRead ? folder.readSync() : null)
        entries.push(next)
      yield entries
    }
  } finally {
    await folder.close()
  }
}

/** The usual case, told without a promise: there may be a million of them. */
function isNamedImage(entry: Dirent): boolean {
  return entry.isFile() && imageExtensions.has(extname(entry.name).toLowerCase())
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
