import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { types } from 'node:util'
import { CaeError } from '../errors.js'
import type { ZipEntry } from '../io/zip.js'
import { type Environment, libtorchCache } from './cache-folder.js'
import { inspectLibtorch, type Libtorch } from './libtorch-folder.js'
import { withLock } from './lock.js'
import { type Manifest, sourceOf } from './manifest.js'
import { extractEntry, listZip } from './unzip.js'

export type Log = (line: string) => void

/** Files of one archive and where they go inside the cache folder. */
interface Unpacking {
  readonly archive: string
  readonly files: readonly { readonly entry: ZipEntry; readonly target: string }[]
}

const parallel = 8

/**
 * What is kept of an archive's file: torch's libraries, headers and CMake files (of a wheel or of a libtorch archive), and the shared
 * libraries of the nvidia wheels beside it, where the RPATH of a CUDA torch looks for them (`$ORIGIN/../../nvidia/<part>/lib`).
 */
export function keptPath(name: string): string | undefined {
  if (name.split('/').includes('..')) return undefined
  const torch = /^(?:torch|libtorch)\/((?:lib|include|share\/cmake)\/.+|version\.py|build-version)$/.exec(name)?.[1]
  if (torch !== undefined) return `torch/${torch}`
  return /^nvidia\/[^/]+\/lib\/[^/]+$/.test(name) && /\.so(\.|$)/.test(name) ? name : undefined
}

/**
 * Unpacks wheels or a libtorch archive into the cache: under a temporary name first, renamed when whole and checked, so that a kill, a full
 * disk or a broken archive leaves nothing that could be taken for a libtorch. Two set-ups at once wait for each other.
 */
export async function unpackLibtorch(archives: readonly string[], env: Environment, log: Log): Promise<Libtorch> {
  return install(env, log, async (folder) => {
    const unpackings = await Promise.all(archives.map(plan))
    if (!unpackings.some(({ files }) => files.some(({ target }) => target.startsWith('torch/lib/')))) {
      const where = archives.join(', ')
      throw new CaeError('ERR_CAE_SETUP', { what: 'the archive holds no libtorch', where, todo: 'a torch wheel or a libtorch zip' })
    }
    const all = unpackings.flatMap(({ files }) => files)
    await assertSpace(
      folder,
      all.reduce((sum, { entry }) => sum + entry.bytes, 0),
    )
    for (const { archive, files } of unpackings) {
      log(`unpacking ${basename(archive)} (${files.length} files)`)
      await inParallel(files, ({ entry, target }) => extractEntry(archive, entry, join(folder, target)))
    }
    return Promise.all(archives.map(sourceOf))
  })
}

/** Copies an unpacked libtorch folder into the cache. */
export async function copyLibtorch(source: string, env: Environment, log: Log): Promise<Libtorch> {
  const inspection = await inspectLibtorch(source)
  if (inspection.libtorch === undefined)
    throw new CaeError('ERR_CAE_SETUP', { what: inspection.problem, where: source, todo: 'a whole libtorch folder' })
  return install(env, log, async (folder) => {
    log(`copying ${source}`)
    for (const part of ['lib', 'include', 'share/cmake', 'version.py', 'build-version']) {
      const exists = (await stat(join(source, part)).catch(() => undefined)) !== undefined
      if (exists) await cp(join(source, part), join(folder, 'torch', part), { recursive: true, dereference: true })
    }
    return [{ file: source, sha256: '' }]
  })
}

/** Fills a temporary folder, checks what is in it, and gives it its final name. */
async function install(env: Environment, log: Log, fill: (folder: string) => Promise<Manifest['sources']>): Promise<Libtorch> {
  const cache = libtorchCache(env)
  await mkdir(cache, { recursive: true }).catch((error) => {
    throw diskError(error, cache)
  })
  const work = async () => {
    await removeLeftovers(cache)
    const folder = await mkdtemp(join(cache, '.new-'))
    try {
      const sources = await fill(folder)
      const inspection = await inspectLibtorch(join(folder, 'torch'))
      if (inspection.libtorch === undefined) {
        throw new CaeError('ERR_CAE_SETUP', {
          what: `what was unpacked ${inspection.problem}`,
          where: sources.map(({ file }) => file).join(', '),
        })
      }
      const { version } = inspection.libtorch
      const manifest: Manifest = { version, made: new Date().toISOString(), sources, libraries: await librarySizes(folder) }
      await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
      const final = join(cache, version)
      await rm(final, { recursive: true, force: true })
      await rename(folder, final)
      return { ...inspection.libtorch, folder: join(final, 'torch') }
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw diskError(error, cache)
    }
  }
  return withLock(join(cache, '.lock'), work, (holder) => log(`waiting for another set-up to end (${holder})`))
}

/** Temporary folders of set-ups that were killed: whoever holds the lock knows that they are dead. */
async function removeLeftovers(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (name.startsWith('.new-')) await rm(join(cache, name), { recursive: true, force: true })
  }
}

async function plan(archive: string): Promise<Unpacking> {
  const entries = await listZip(archive)
  const files = entries.flatMap((entry) => {
    const target = keptPath(entry.name)
    return target === undefined ? [] : [{ entry, target }]
  })
  return { archive, files }
}

async function assertSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (free >= bytes) return
  const [need, have] = [bytes, free].map((value) => `${Math.ceil(value / 1e6)} MB`)
  throw new CaeError('ERR_CAE_SETUP', {
    what: `the disk is too full: libtorch takes ${need}, ${have} are free`,
    where: folder,
    todo: 'free some space, or set XDG_CACHE_HOME to another disk',
  })
}

async function librarySizes(folder: string): Promise<Record<string, number>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const libraries = entries.filter((entry) => entry.isFile() && /\.(so|dylib)(\.|$)/.test(entry.name))
  const paths = libraries.map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    await Promise.all(paths.sort().map(async (path) => [path.slice(folder.length + 1), (await stat(path)).size] as const)),
  )
}

/** Works on several items at a time; after a failure nothing new is begun, and what has begun ends before the failure is thrown. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  let hasFailed = false
  const lane = async () => {
    for (const item of queue) {
      if (hasFailed) return
      await work(item).catch((error) => {
        hasFailed = true
        throw error
      })
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: parallel }, lane))
  const failed = lanes.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** A failure of the file system as an error that says which disk and what to do; anything else unchanged. */
function diskError(error: unknown, cache: string): unknown {
  if (!types.isNativeError(error) || error instanceof CaeError) return error
  const { code, path } = error as NodeJS.ErrnoException
  if (code === undefined) return error
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  const what = isFull ? 'the disk is full' : `the cache folder cannot be written: ${error.message}`
  return new CaeError(
    'ERR_CAE_SETUP',
    { what, where: path ?? cache, todo: 'free some space, or set XDG_CACHE_HOME to another disk' },
    { cause: error },
  )
}

/** Reads one small text file of an archive, or undefined. */
export async function readFromZip(archive: string, pattern: RegExp): Promise<string | undefined> {
  const entry = (await listZip(archive)).find(({ name }) => pattern.test(name))
  if (entry === undefined) return undefined
  const folder = await mkdtemp(`${archive}.`)
  try {
    await extractEntry(archive, entry, join(folder, 'file'))
    return await readFile(join(folder, 'file'), 'utf8')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
