import { opendir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'

import { CaeError } from '../../errors.js'
import type { Dataset } from '../dataset.js'
import { imageExtensions } from '../image-format.js'
import { isUrl } from './byte-source.js'
import { isGlob } from './glob.js'
import { idx } from './idx.js'
import { imageFile, imageFolder, imageGlob } from './image-folder.js'
import { imageList } from './image-list.js'
import { parquet } from './parquet.js'
import { webDataset } from './web-dataset.js'

/** Images to read: a path, a pattern, a URL, or a data set. */
export type DataInput = string | Dataset

/** What a user gave, and what is there. */
interface Place {
  readonly path: string
  readonly is: 'url' | 'folder' | 'file' | 'pattern' | 'nothing'
}

/** A kind of source that a path may name. */
interface Source {
  /** Whether this path is for it; the first source that says yes takes it. */
  takes(place: Place): boolean | Promise<boolean>
  open(path: string, options: { readonly signal?: AbortSignal }): Promise<Dataset & { readonly notes?: readonly string[] }>
}

/** Every source, the most special first; docs/data.md has the same table in words. A folder whose own name has a `*` in it is a folder. */
const sources: readonly Source[] = [
  { takes: named(/\.(tar|tgz|tar\.gz|tar\.zst)$/i), open: webDataset },
  { takes: named(/\.parquet$/i), open: parquet },
  { takes: named(/-ubyte(\.gz)?$/i), open: idx },
  { takes: named(/\.(txt|csv|tsv)$/i), open: imageList },
  { takes: folderOf('.tar'), open: webDataset },
  { takes: folderOf('.parquet'), open: parquet },
  { takes: ({ is }) => is === 'pattern', open: imageGlob },
  { takes: ({ is, path }) => is === 'file' && imageExtensions.has(extname(path).toLowerCase()), open: imageFile },
  { takes: ({ is }) => is !== 'url', open: imageFolder },
]

/** Files by the end of their names: of a path, a pattern, or the path of a URL. */
function named(end: RegExp): Source['takes'] {
  return ({ is, path }) => is !== 'folder' && end.test(is === 'url' ? new URL(path).pathname : path)
}

/** Entries of a folder that are looked at: shards lie by themselves, and a folder of a million images must not be listed twice. */
const entriesSeen = 1000

/** Folders with such files and no image among the first entries, in themselves or in `data/`. */
function folderOf(extension: string): Source['takes'] {
  return async ({ is, path }) => is === 'folder' && ((await holds(path, extension)) || (await holds(join(path, 'data'), extension)))
}

async function holds(folder: string, extension: string): Promise<boolean> {
  const entries = await opendir(folder).catch(() => undefined)
  let [seen, found] = [0, false]
  for await (const { name } of entries ?? []) {
    const end = extname(name).toLowerCase()
    if (imageExtensions.has(end)) return false
    found ||= end === extension
    if (++seen >= entriesSeen) break
  }
  return found
}

async function lookAt(path: string): Promise<Place> {
  if (isUrl(path)) return { path, is: 'url' }
  const facts = await stat(path).catch(() => undefined)
  if (facts !== undefined) return { path, is: facts.isDirectory() ? 'folder' : 'file' }
  return { path, is: isGlob(path) ? 'pattern' : 'nothing' }
}

/**
 * Opens whatever a user gives as data: a path is looked at, a data set is taken as it is.
 * @returns the set, with `notes` on how it was read
 * @throws {CaeError} ERR_CAE_DATA when nothing can be read there
 */
export async function openData(
  data: DataInput,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Dataset & { readonly notes?: readonly string[] }> {
  if (typeof data !== 'string') {
    if (Number.isInteger(data.length) && data.length > 0) return data
    throw new CaeError('ERR_CAE_DATA', { what: `the data set has length ${data.length}`, todo: 'give a data set with at least one image' })
  }
  const place = await lookAt(data)
  for (const source of sources) if (await source.takes(place)) return source.open(data, options)
  throw new CaeError('ERR_CAE_DATA', {
    what: 'no source takes this address',
    where: data,
    todo: 'give URLs of tar shards or Parquet files, such as https://example.org/x-{000..012}.tar',
  })
}
