import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** Environment variables by name: passed in, so that tests bring their own. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The one folder outside a run's `out` that this package writes to: `$XDG_CACHE_HOME/cae-torch`, else `~/.cache/cae-torch`. */
export function cacheFolder(env: Environment): string {
  const base = env.XDG_CACHE_HOME
  // The XDG base directory specification: a relative path is to be ignored.
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.cache'), 'cae-torch')
}

/** Holds one folder a libtorch version, each with `torch/`, for CUDA also `nvidia/`, and `manifest.json`. */
export function libtorchCache(env: Environment): string {
  return join(cacheFolder(env), 'libtorch')
}

/** Holds one folder a built addon, each with `cae_torch.node` and `addon.json`. */
export function addonCache(env: Environment): string {
  return join(cacheFolder(env), 'addon')
}

/** A folder of this user's cache, by name: for what can be made anew. */
export function userCacheFolder(name: string): string {
  return join(cacheFolder(process.env), name)
}
