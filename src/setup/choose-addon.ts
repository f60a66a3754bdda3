import { existsSync } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import nodeGypBuild from 'node-gyp-build'
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

/** Finds the addon to load: a prebuilt one of the package, the build of a checkout, the newest of the cache that fits these sources. */
export async function chooseAddon(env: Environment, root: string): Promise<Choice> {
  const causes: string[] = []
  const wanted = await wantedLibtorch(env)
  for (const look of [prebuiltAddon, builtAddon, cachedAddon]) {
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

const prebuiltAddon: Look = async (root, _env, causes) => {
  if (!existsSync(join(root, 'prebuilds'))) return []
  try {
    const addon = await addonIn(dirname(nodeGypBuild.path(root)))
    return addon === undefined ? [] : [addon]
  } catch (error) {
    causes.push(error instanceof Error ? error.message : String(error))
    return []
  }
}

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
