import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Beside the checkout lie, if they are there at all, golden tensors and image sets too large or too restricted for the repository. */
const beside = join(__dirname, '../../../shared')
const roots: Readonly<Record<string, string>> = {
  'golden/': process.env.CAE_GOLDEN ?? join(beside, 'golden'),
  'data/': process.env.CAE_TEST_DATA ?? join(beside, 'data'),
}

const told = new Set<string>()

/**
 * Path of a shared file such as `golden/cae_micro.safetensors` or `data/coco128.tar`, or undefined, said aloud once, where there is none:
 * its tests are skipped then. `CAE_GOLDEN` and `CAE_TEST_DATA` name the folders that stand for `golden/` and `data/`.
 */
export function sharedFile(relative: string): string | undefined {
  const room = Object.keys(roots).find((name) => relative.startsWith(name)) ?? ''
  const path = join(roots[room] ?? beside, relative.slice(room.length))
  if (existsSync(path)) return path
  if (!told.has(relative))
    process.stderr.write(`SKIPPED: tests that need ${relative}, which is not here (set CAE_TEST_DATA or CAE_GOLDEN)\n`)
  told.add(relative)
  return undefined
}

/** Unpacks a shared archive for the tests of one file; undefined where it is not there. Removed after them. */
export function unpackedArchive(relative: string): string | undefined {
  const archive = sharedFile(relative)
  if (archive === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'cae-shared-'))
  execFileSync('tar', ['-xf', archive, '-C', folder])
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
