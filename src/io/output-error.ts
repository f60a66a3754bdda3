import { types } from 'node:util'

import { CaeError } from '../errors.js'

const advice: Readonly<Record<string, string>> = {
  ENOSPC: 'free some disk space, or choose another `out`',
  EDQUOT: 'free some of your disk quota, or choose another `out`',
  EACCES: 'make it writable for this user, or choose another `out`',
  EPERM: 'make it writable for this user, or choose another `out`',
  EROFS: 'choose an `out` that is not on a read-only file system',
  ENOENT: 'the folder was moved or deleted: restore it, or start with another `out`',
  ENOTDIR: 'choose an `out` that is not below a file',
}

/** The system's code of a failed file operation (`ENOENT`, ...), or undefined for any other failure. */
export function systemCode(error: unknown): string | undefined {
  // Not `instanceof`: an error of another realm (a vm context, a worker's message) is one as well.
  if (!types.isNativeError(error) || error instanceof CaeError || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return types.isNativeError(error) ? error.message : String(error)
}

/**
 * What a failed write becomes: `ERR_CAE_OUTPUT`, naming the file and what helps. Anything that the file system did not report stays as it
 * is: a bug must not look like a full disk.
 */
export function outputError(path: string, error: unknown): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  const what = `cannot write: ${messageOf(error)}`
  return new CaeError('ERR_CAE_OUTPUT', { what, where: path, todo: advice[code] }, { cause: error })
}
