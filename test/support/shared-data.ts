import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where the golden tensors and image sets lie, if this checkout has them beside it. */
const root = process.env.CAE_TEST_DATA ?? join(__dirname, '../../../shared')

const told = new Set<string>()

/**
 * Path of a shared file such as `golden/cae_micro.safetensors`, or undefined, said aloud once, where there is none: its tests are skipped then.
 */
export function sharedFile(relative: string): string | undefined {
  const golden = process.env.CAE_GOLDEN
  const path =
    golden !== undefined && relative.startsWith('golden/') ? join(golden, relative.slice('golden/'.length)) : join(root, relative)
  if (existsSync(path)) return path
  if (!told.has(relative))
    process.stderr.write(`SKIPPED: tests that need ${relative}, which is not here (set CAE_TEST_DATA or CAE_GOLDEN)\n`)
  told.add(relative)
  return undefined
}
