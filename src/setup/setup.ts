import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CaeError } from '../errors.js'
import type { AddonFile } from './addon-record.js'
import { buildAddon, cachedAddon } from './build-addon.js'
import type { Environment } from './cache-folder.js'
import { checkoutBuild, isCheckout, packageRoot } from './choose-addon.js'
import { fetchCpuLibtorch, fetchCudaLibtorch, takeLibtorch } from './fetch-libtorch.js'
import { type Candidate, findLibtorch, type SearchResult } from './libtorch.js'
import type { Libtorch } from './libtorch-folder.js'
import { withLock } from './lock.js'
import { assertPlatform } from './platform.js'

export interface SetupOptions {
  /** A torch wheel, a libtorch zip, a folder of wheels or a libtorch folder, taken instead of a search. */
  readonly from?: string | undefined
  /** Fetch the CUDA libtorch and NVIDIA's libraries (about 4 GB unpacked) instead of a search. */
  readonly cuda?: boolean | undefined
  /** Whether a Python torch may be used; true. */
  readonly python?: boolean | undefined
  /** Called with a line for everything that takes time. */
  readonly log?: ((line: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly env?: Environment | undefined
}

export interface SetupResult {
  readonly libtorch: Libtorch
  readonly addon: AddonFile
  /** False when everything was there already. */
  readonly isNew: boolean
  /** Where libtorch was looked for, in order; empty with `from` and `cuda`. */
  readonly candidates: readonly Candidate[]
}

/**
 * Makes training possible on this machine: finds a libtorch or gets one, and builds the addon against it (in the cache folder; in a checkout
 * of this project in its own `build/native`). What is there already is kept.
 * @throws {CaeError} ERR_CAE_NO_LIBTORCH, ERR_CAE_SETUP
 */
export async function runSetup(options: SetupOptions = {}): Promise<SetupResult> {
  assertPlatform()
  const env = options.env ?? process.env
  const log = options.log ?? (() => {})
  const { libtorch, candidates } = await obtainLibtorch({ ...options, env, log })
  const build = { root: packageRoot, libtorch, env, log, signal: options.signal }
  if (!isCheckout(packageRoot)) return { libtorch, candidates, ...(await cachedAddon(build)) }
  const folder = checkoutBuild(packageRoot)
  const addon = await withLock(
    `${folder}.lock`,
    () => buildAddon(folder, build),
    () => log('waiting for another build to end'),
  )
  return { libtorch, candidates, addon, isNew: true }
}

async function obtainLibtorch(
  options: SetupOptions & { env: Environment; log: (line: string) => void },
): Promise<SearchResult & { libtorch: Libtorch }> {
  const { env, from, cuda } = options
  if (from !== undefined || cuda === true) {
    const variable = ['CAE_LIBTORCH', 'LIBTORCH'].find((name) => env[name])
    if (variable !== undefined) {
      throw new CaeError('ERR_CAE_OPTION', {
        what: `${variable} is set and would still be used instead of what setup ${from === undefined ? '--cuda' : '--from'} makes`,
        where: `${variable}=${env[variable]}`,
        todo: `unset ${variable}`,
      })
    }
    const libtorch = from === undefined ? await fetchCudaLibtorch(options) : await takeLibtorch(from, options)
    return { libtorch, candidates: [] }
  }
  const found = await findLibtorch({ env, python: options.python ?? true })
  return { candidates: found.candidates, libtorch: found.libtorch ?? (await fetchCpuLibtorch(options)) }
}

/** Version of this package. */
export async function packageVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown'
}
