import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** What a libtorch in the cache was made of; written last, so that a folder without it is not whole. */
export interface Manifest {
  readonly version: string
  /** Time of the set-up, ISO 8601. */
  readonly made: string
  /** The packages it was unpacked from, with their SHA-256. */
  readonly sources: readonly { readonly file: string; readonly sha256: string }[]
  /** Bytes of every shared library, by path inside the folder. */
  readonly libraries: Readonly<Record<string, number>>
}

/** Whether a name in the cache is a finished folder's: temporary names start with a dot, locks end in `.lock`. */
export function isManifestName(name: string): boolean {
  return !name.startsWith('.') && !name.includes('.lock')
}

export function parseManifest(text: string): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isManifest(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false
  const { version, made, sources, libraries } = value as Record<string, unknown>
  return (
    typeof version === 'string' && typeof made === 'string' && Array.isArray(sources) && typeof libraries === 'object' && libraries !== null
  )
}

/** What is wrong with a cached folder, by the sizes in its manifest (checksums of a gigabyte would take seconds at each start). */
export async function cacheProblem(folder: string, manifest: Manifest): Promise<string | undefined> {
  for (const [file, bytes] of Object.entries(manifest.libraries)) {
    const info = await stat(join(folder, file)).catch(() => undefined)
    if (info === undefined) return `lacks ${file}`
    if (info.size !== bytes) return `is damaged: ${file} has ${info.size} bytes, its manifest says ${bytes}`
  }
  return undefined
}

/** One entry of `sources`. */
export async function sourceOf(path: string): Promise<Manifest['sources'][number]> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { file: basename(path), sha256: hash.digest('hex') }
}
