import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The path of a folder of the current test's own. */
export interface TemporaryFolder {
  (): string
  /** Names of all that is in it, sorted. */
  list(): Promise<string[]>
}

/** Call once at the top of a test file: every test gets an empty folder, removed afterwards. */
export function temporaryFolder(): TemporaryFolder {
  let path = ''
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'cae-test-'))
  })
  afterEach(async () => {
    await rm(path, { recursive: true, force: true })
  })
  return Object.assign(() => path, { list: async () => (await readdir(path)).sort() })
}
