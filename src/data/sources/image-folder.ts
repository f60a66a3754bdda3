import { stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'

import { CaeError } from '../../errors.js'
import { messageOf } from '../../io/output-error.js'
import type { Dataset } from '../dataset.js'
import { PackedStrings } from '../packed-strings.js'
import { parseGlob } from './glob.js'
import { lastNotAbove } from './runs.js'
import { type FoundImages, walkImages } from './walk-images.js'

export interface ImageFolderOptions {
  readonly signal?: AbortSignal
  /** `false`: sub-folders are no classes. Default: true. */
  readonly labels?: boolean
}

/** The images of a folder, or of a glob pattern. */
export interface ImageFolder extends Dataset {
  /** One path an image. Made when it is asked for: the set itself keeps them packed, as there may be millions. */
  readonly paths: readonly string[]
  /** What the user should know about how the folder was read; each one sentence. */
  readonly notes: readonly string[]
}

/**
 * Lists the images of a folder and all its sub-folders, in an order that depends on the names alone (code units).
 *
 * When every image lies in a sub-folder, the direct sub-folders are classes, numbered in the order of their names. Hidden files and folders
 * are left out, links are followed (each real folder once). A file with an image's extension is listed whatever is in it: what cannot be
 * decoded is told when it is read, never left out silently.
 * @example
 * const photos = await imageFolder('photos/')
 * @throws {CaeError} ERR_CAE_DATA when the folder is missing, unreadable, or holds no image; `signal.reason` on abort
 */
export async function imageFolder(path: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  await requireFolder(path)
  const found = await walkImages(path, options.signal)
  if (found.images.length === 0) throw noImage(path, found)
  const { images, inRoot, folders, emptyFolders } = found
  const notes: string[] = []
  if (options.labels !== false && inRoot > 0 && folders.length > 0) {
    const below = images.length - inRoot
    notes.push(`${inRoot} images lie in ${path} itself and ${below} in sub-folders: sub-folders are not taken as classes`)
  }
  const set = pathSet(path, images, notes)
  if (options.labels === false || inRoot > 0) return set
  if (emptyFolders.length > 0) notes.push(`no class for ${emptyFolders.join(', ')}: no image in there`)
  const firsts = Float64Array.from(folders, ({ first }) => first)
  return Object.assign(set, {
    classes: folders.map(({ name }) => name),
    label: (index: number) => (images.at(index) === undefined ? undefined : lastNotAbove(firsts, index)),
  })
}

/**
 * The images that a pattern such as `photos/2024-*\/**\/*.jpg` names; without classes.
 * @throws {CaeError} ERR_CAE_DATA when there is none
 */
export async function imageGlob(pattern: string, options: Pick<ImageFolderOptions, 'signal'> = {}): Promise<ImageFolder> {
  const glob = parseGlob(pattern)
  await requireFolder(glob.base)
  const found = await walkImages(glob.base, options.signal)
  const images = new PackedStrings()
  for (let index = 0; index < found.images.length; index++) {
    const image = found.images.at(index) ?? ''
    if (glob.matches(image)) images.push(image)
  }
  if (images.length === 0) {
    const what = `no image matches the pattern; ${found.images.length} images lie below ${glob.base}`
    throw new CaeError('ERR_CAE_DATA', { what, where: pattern, todo: 'use `**/` for any folders and `*.{jpg,png}` for several endings' })
  }
  return pathSet(glob.base, images, [])
}

/** One image as a set: what `--data photo.jpg` means. */
export async function imageFile(path: string): Promise<ImageFolder> {
  const images = new PackedStrings()
  images.push(basename(path))
  return pathSet(dirname(path), images, [])
}

/** @param images paths below `root` */
function pathSet(root: string, images: PackedStrings, notes: readonly string[]): ImageFolder {
  const start = join(root, sep) // not `join` for each: that is 50 ms for 100,000 images
  const at = (index: number): string => {
    const path = images.at(index)
    if (path === undefined) throw new CaeError('ERR_CAE_DATA', { what: `image ${index} asked of a set of ${images.length}` })
    return start + path
  }
  return {
    length: images.length,
    get paths() {
      return Array.from({ length: images.length }, (_, index) => at(index))
    },
    notes,
    get: at,
    name: at,
  }
}

async function requireFolder(path: string): Promise<void> {
  const facts = await stat(path).catch((error: unknown) => {
    const todo = 'give a folder of images, or a pattern such as "photos/**/*.jpg"'
    throw new CaeError('ERR_CAE_DATA', { what: `cannot find the images: ${messageOf(error)}`, where: path, todo }, { cause: error })
  })
  if (facts.isDirectory()) return
  throw new CaeError('ERR_CAE_DATA', { what: 'this is a file, not a folder of images', where: path, todo: 'give the folder it lies in' })
}

function noImage(path: string, { others }: FoundImages): CaeError {
  const count = [...others.values()].reduce((sum, some) => sum + some, 0)
  const kinds = [...others.keys()].sort().map((extension) => extension || 'no extension')
  const found =
    count === 0 ? 'found no file at all' : `found ${count} ${count === 1 ? 'file' : 'files'}, none of them an image: ${kinds.join(', ')}`
  return new CaeError('ERR_CAE_DATA', {
    what: `no image in the folder: ${found}`,
    where: path,
    todo: 'give a folder with JPEG, PNG, WebP, GIF, TIFF or AVIF files in it or in its sub-folders',
  })
}
