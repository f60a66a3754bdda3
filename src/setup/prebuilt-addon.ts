import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { arch, platform } from 'node:process'
import nodeGypBuild from 'node-gyp-build'
import { isSameAbi, parseTorchVersion } from './abi.js'
import { type AddonFile, addonIn } from './addon-record.js'
import { cpuInstructionSets, missingInstructionSets } from './cpu.js'
import type { Libtorch } from './libtorch-folder.js'

/** Where a portable addon looks for libtorch: set-up puts a link there, beside the addon's copy. */
export const libtorchLink = 'libtorch'

/** What `-march` a portable addon of this platform is built for. */
export const portableMarch = arch === 'x64' ? 'x86-64-v3' : ''

/**
 * The platform package that holds the addon for a minor version of CPU libtorch, such as `@cae/torch-linux-x64-libtorch2.13`.
 * `npm run prebuild` makes its content.
 */
export function prebuiltPackage(libtorchVersion: string): string {
  const { major, minor } = parseTorchVersion(libtorchVersion) ?? { major: 0, minor: 0 }
  return `@cae/torch-${platform}-${arch}-libtorch${major}.${minor}`
}

/**
 * The prebuilt addon that fits this package's sources, this libtorch and this CPU, if its platform package is installed.
 * A CUDA libtorch has none: its libraries must be linked to be loaded.
 */
export async function prebuiltAddon(root: string, libtorch: Libtorch, sources: string): Promise<AddonFile | undefined> {
  if (libtorch.cuda) return undefined
  let path: string
  try {
    path = nodeGypBuild.path(
      dirname(createRequire(join(root, 'package.json')).resolve(`${prebuiltPackage(libtorch.version)}/package.json`)),
    )
  } catch {
    return undefined // not installed, or for another platform
  }
  const addon = await addonIn(dirname(path))
  if (addon === undefined || addon.record.sources !== sources || !isSameAbi(addon.record.libtorchVersion, libtorch.version))
    return undefined
  return missingInstructionSets(addon.record.instructionSets, await cpuInstructionSets()).length === 0 ? addon : undefined
}
