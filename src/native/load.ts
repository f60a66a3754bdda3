import { createRequire } from 'node:module'
import process, { arch, env, platform, versions } from 'node:process'
import { CaeError } from '../errors.js'
import { isSameAbi, parseTorchVersion } from '../setup/abi.js'
import { addonProblem } from '../setup/addon-check.js'
import type { AddonFile } from '../setup/addon-record.js'
import { chooseAddon, packageRoot, setupCommand } from '../setup/choose-addon.js'
import { wrongVariable } from '../setup/libtorch.js'
import { inspectLibtorch } from '../setup/libtorch-folder.js'
import { assertPlatform, currentLibc } from '../setup/platform.js'
import type { Addon } from './addon.js'
import { withCaeErrors } from './errors.js'

let loading: Promise<Addon> | undefined

/**
 * The native addon, loaded at the first call: once a process, and once a worker thread. Every failure of its functions is a `CaeError`.
 * @throws {CaeError} ERR_CAE_NO_LIBTORCH with everything that was tried and the one command that helps
 */
export function loadAddon(): Promise<Addon> {
  loading ??= load().catch((error) => {
    loading = undefined // after `setup` in the same process the next call finds what it made
    throw error
  })
  return loading
}

async function load(): Promise<Addon> {
  assertPlatform()
  for (const place of ['CAE_LIBTORCH', 'LIBTORCH'] as const) {
    const where = env[place]
    if (where === undefined || where === '') continue
    const inspection = await inspectLibtorch(where)
    if (inspection.libtorch === undefined) throw wrongVariable({ place, where, reason: inspection.problem })
    break
  }
  const { addon, causes } = await chooseAddon(env, packageRoot)
  if (addon === undefined) throw noLibtorch('the native addon has not been built', causes)
  const problem = await addonProblem(addon.record)
  if (problem !== undefined) throw noLibtorch(problem, [`addon ${addon.path}`, ...causes])
  const native = open(addon, causes)
  checkRunning(native, addon)
  // process.exit takes libtorch down at once: a step in flight must be over by then.
  process.once('exit', () => native.shutdown())
  return native
}

function open(addon: AddonFile, causes: readonly string[]): Addon {
  let exported: Record<string, unknown>
  try {
    exported = createRequire(__filename)(addon.path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw noLibtorch(
      `the native addon cannot be opened: ${reason}`,
      [`addon ${addon.path}`, `libtorch ${addon.record.libtorch}`, ...causes],
      error,
    )
  }
  const wrapped = Object.entries(exported).map(([name, value]) => [
    name,
    typeof value === 'function' ? withCaeErrors(name, (...args) => value(...args)) : value,
  ])
  return Object.fromEntries(wrapped) as Addon
}

/** The libtorch that really came up can be another than the addon's own, as when LD_LIBRARY_PATH names one. */
function checkRunning(native: Addon, { record }: AddonFile): void {
  const running = /TORCH_VERSION=([^,\s]+)/.exec(native.version().libtorchBuiltWith)?.[1]
  if (running === undefined || parseTorchVersion(running) === undefined || isSameAbi(running, record.libtorchVersion)) return
  throw noLibtorch(`the addon was built for libtorch ${record.libtorchVersion}, but ${running} was loaded`, [
    `LD_LIBRARY_PATH=${env.LD_LIBRARY_PATH ?? ''}`,
  ])
}

function noLibtorch(what: string, causes: readonly string[], cause?: unknown): CaeError {
  const libc = currentLibc()
  const machine = `Node ${versions.node}, ${platform}-${arch}${libc.kind === 'glibc' ? `, glibc ${libc.version}` : ''}`
  const where = [...causes, machine].join('\n      ')
  return new CaeError('ERR_CAE_NO_LIBTORCH', { what, where, todo: setupCommand(packageRoot) }, cause === undefined ? undefined : { cause })
}
