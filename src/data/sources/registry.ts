import { stat } from 'node:fs/promises'

import { CaeError } from '../../errors.js'
import type { Dataset } from '../dataset.js'
import { isGlob } from './glob.js'
import { imageFolder, imageGlob } from './image-folder.js'

/** Images to read: a folder's path, a pattern, or a data set. */
export type DataInput = string | Dataset

/** A kind of source that a path may name. */
interface Source {
  /** Whether this path is for it; the first source that says yes takes it. */
  takes(path: string): boolean | Promise<boolean>
  open(path: string, options: { readonly signal?: AbortSignal }): Promise<Dataset & { readonly notes?: readonly string[] }>
}

/** Every source, the most special first. A folder whose own name has a `*` in it is a folder. */
const sources: readonly Source[] = [
  { takes: async (path) => isGlob(path) && !(await exists(path)), open: imageGlob },
  { takes: () => true, open: imageFolder },
]

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
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
  for (const source of sources) if (await source.takes(data)) return source.open(data, options)
  throw new CaeError('ERR_CAE_DATA', { what: 'no source takes this path', where: data })
}
