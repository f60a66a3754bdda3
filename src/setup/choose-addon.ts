import { existsSync } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type AddonFile, addonIn, recordFile, sourceHash } from './addon-record.js'
import { addonCache, type Environment } from './cache-folder.js'
import { libtorchVersion } from './libtorch-folder.js'

/** Root of this package: the folder of its package.json, from src/setup/ as from lib/setup/. */
export const packageRoot = join(__dirname, '..', '..')

/** A checkout builds into its own folder; an installed package must not write into node_modules. */
export function isCheckout(root: string): boolean {
  return existsSync(join(root, 'scripts', 'build.mjs'))
}

/** Where a checkout's build puts the addon. */
export function checkoutBuild(root: string): string {
  return join(root, 'build', 'native')
}

/** The one command that sets things right. */
export function setupCommand(root: string): string {
  return isCheckout(root) ? 'npm run build' : 'npx cae-torch setup'
}

export interface Choice {
  readonly addon: AddonFile | undefined
  /** What was looked at and why it was passed over, one sentence each. */
  readonly causes: readonly string[]
}

/** Finds the addon to load: the build of a checkout, or the newest of the cache that fits an installed package's sources. */
export async function chooseAddon(env: Environment, root: string): Promise<Choice> {
  const causes: string[] = []
  const wanted = await wantedLibtorch(env)
  for (const look of [builtAddon, cachedAddon]) {
    for (const addon of await look(root, env, causes)) {
      if (wanted === undefined || (await realpath(addon.record.libtorch).catch(() => '')) === wanted.folder) return { addon, causes }
      const { libtorch, libtorchVersion: built } = addon.record
      causes.push(
        `${addon.path} was built for libtorch ${built} in ${libtorch}, not for ${wanted.variable}=${wanted.folder} (${wanted.version})`,
      )
    }
  }
  return { addon: undefined, causes }
}

/** The libtorch folder a variable asks for. */
async function wantedLibtorch(env: Environment): Promise<{ variable: string; folder: string; version: string } | undefined> {
  for (const variable of ['CAE_LIBTORCH', 'LIBTORCH']) {
    const folder = env[variable]
    if (folder === undefined || folder === '') continue
    const version = (await libtorchVersion(folder)) ?? 'no libtorch'
    return { variable, folder: await realpath(folder).catch(() => folder), version }
  }
  return undefined
}

type Look = (root: string, env: Environment, causes: string[]) => Promise<readonly AddonFile[]>

const builtAddon: Look = async (root, _env, causes) => {
  if (!isCheckout(root)) return []
  const addon = await addonIn(checkoutBuild(root))
  if (addon === undefined) causes.push(`${checkoutBuild(root)} holds no finished build`)
  return addon === undefined ? [] : [addon]
}

const cachedAddon: Look = async (root, env, causes) => {
  if (isCheckout(root)) return []
  const cache = addonCache(env)
  const sources = await sourceHash(root)
  const fitting: { addon: AddonFile; time: number }[] = []
  for (const name of await readdir(cache).catch(() => [])) {
    const addon = await addonIn(join(cache, name))
    if (addon?.record.sources !== sources) continue
    const { mtimeMs } = await stat(join(cache, name, recordFile))
    fitting.push({ addon, time: mtimeMs })
  }
  if (fitting.length === 0) causes.push(`${cache} holds no addon built for this version of the package`)
  return fitting.sort((a, b) => b.time - a.time).map(({ addon }) => addon)
}
