import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { instructionSetsOf, levelSets } from './cpu.js'

export const addonFile = 'cae_torch.node'
export const recordFile = 'addon.json'

/** What an addon was built of: `addon.json` beside it, written by CMakeLists.txt. */
export interface AddonRecord {
  /** The libtorch folder it links and will open. */
  readonly libtorch: string
  /** Version of that libtorch when the addon was built. */
  readonly libtorchVersion: string
  /** Target of `-march`. */
  readonly march: string
  /** Instruction sets that it may use: those of the building CPU when `march` is `native`, those of the level else. */
  readonly instructionSets: readonly string[]
  /** Hash of the native sources; absent in a checkout, where the build system itself compares them. */
  readonly sources: string | undefined
}

/** An addon on disk. */
export interface AddonFile {
  readonly path: string
  readonly record: AddonRecord
}

/** The addon of a folder, or undefined where there is none or its build was not finished. */
export async function addonIn(folder: string): Promise<AddonFile | undefined> {
  const path = join(folder, addonFile)
  if (!existsSync(path)) return undefined
  const record = parseRecord(await readFile(join(folder, recordFile), 'utf8').catch(() => ''))
  return record === undefined ? undefined : { path, record }
}

function parseRecord(json: string): AddonRecord | undefined {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value !== 'object' || value === null) return undefined
    const { libtorch, libtorchVersion, march, cpuFlags, sources } = value as Record<string, unknown>
    if (typeof libtorch !== 'string' || typeof libtorchVersion !== 'string' || typeof march !== 'string') return undefined
    const instructionSets = march === 'native' && typeof cpuFlags === 'string' ? instructionSetsOf(cpuFlags) : levelSets(march)
    return { libtorch, libtorchVersion, march, instructionSets, sources: typeof sources === 'string' ? sources : undefined }
  } catch {
    return undefined
  }
}

/** Hash of everything that is compiled: `native/` and `CMakeLists.txt` under the package's root. */
export async function sourceHash(packageRoot: string): Promise<string> {
  const native = join(packageRoot, 'native')
  const entries = await readdir(native, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const hash = createHash('sha256')
  for (const file of [join(packageRoot, 'CMakeLists.txt'), ...files].sort()) {
    hash
      .update(file.slice(packageRoot.length))
      .update('\0')
      .update(await readFile(file))
      .update('\0')
  }
  return hash.digest('hex').slice(0, 16)
}
