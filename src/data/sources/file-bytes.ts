import { stat } from 'node:fs/promises'

import { CaeError } from '../../errors.js'
import { messageOf } from '../../io/output-error.js'
import type { ByteSource } from './byte-source.js'
import type { OpenFiles } from './open-files.js'

/** Large enough that the time to ask for a block does not count, small enough to be there at once. */
const blockBytes = 1 << 20

/**
 * A local file.
 * @throws {CaeError} ERR_CAE_DATA when there is none
 */
export async function openFileBytes(path: string, files: OpenFiles): Promise<ByteSource> {
  const state = await stat(path).catch((error: unknown) => {
    throw new CaeError('ERR_CAE_DATA', { what: `cannot find the data: ${messageOf(error)}`, where: path }, { cause: error })
  })
  if (!state.isFile()) throw new CaeError('ERR_CAE_DATA', { what: 'this is not a file', where: path })
  return {
    name: path,
    size: state.size,
    version: String(state.mtimeMs),
    blockBytes,
    read: (offset, length) => files.read(path, state, offset, length),
  }
}
