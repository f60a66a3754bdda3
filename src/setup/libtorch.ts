import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CaeError } from '../errors.js'
import { supportedRange } from './abi.js'
import { type Environment, libtorchCache } from './cache-folder.js'
import { inspectLibtorch, type Libtorch } from './libtorch-folder.js'
import { cacheProblem, isManifestName, type Manifest, parseManifest } from './manifest.js'
import { findPython } from './python.js'

/** Where a libtorch is looked for. */
export type Place = 'CAE_LIBTORCH' | 'LIBTORCH' | 'cache' | 'python'

/** What looking at one place gave. */
export interface Candidate {
  readonly place: Place
  /** The folder, or what was asked for one. */
  readonly where: string
  /** `refused`: something is there and cannot be used; `skipped`: not looked at. */
  readonly verdict: 'found' | 'absent' | 'refused' | 'skipped'
  readonly reason: string
  readonly libtorch?: Libtorch
}

export interface SearchOptions {
  readonly env: Environment
  /** Look for a Python torch too. */
  readonly python: boolean
  /** Look at every place, also behind the first hit: for `doctor`. */
  readonly everywhere?: boolean
}

export interface SearchResult {
  readonly libtorch: Libtorch | undefined
  readonly candidates: readonly Candidate[]
}

/**
 * Looks for a libtorch: `CAE_LIBTORCH`, then `LIBTORCH`, then the cache of an earlier `setup`, then an importable Python torch; with
 * `LIBTORCH_USE_PYTORCH=1` Python comes first. A variable that names a wrong folder ends the search: silently taking another libtorch
 * than the one asked for would be worse than none.
 */
export async function searchLibtorch(options: SearchOptions): Promise<SearchResult> {
  const { env } = options
  const fromPython = { place: 'python' as const, look: () => lookAtPython(options) }
  const places: { place: Place; look: () => Promise<Candidate> }[] = [
    { place: 'CAE_LIBTORCH', look: () => lookAtVariable('CAE_LIBTORCH', env) },
    { place: 'LIBTORCH', look: () => lookAtVariable('LIBTORCH', env) },
    { place: 'cache', look: () => lookAtCache(env) },
  ]
  if (env.LIBTORCH_USE_PYTORCH === '1') places.unshift(fromPython)
  else places.push(fromPython)

  const candidates: Candidate[] = []
  let isOver = false
  let libtorch: Libtorch | undefined
  for (const { look } of places) {
    if (isOver && options.everywhere !== true) break
    const candidate = await look()
    candidates.push(candidate)
    if (isOver) continue
    libtorch = candidate.libtorch
    isOver = candidate.verdict === 'found' || (candidate.verdict === 'refused' && isExplicit(candidate.place))
  }
  return { libtorch, candidates }
}

/**
 * As `searchLibtorch`, for callers that need one.
 * @returns undefined where nothing was found and a fetch may be tried
 * @throws {CaeError} ERR_CAE_NO_LIBTORCH when a variable names a folder that cannot be used
 */
export async function findLibtorch(options: SearchOptions): Promise<SearchResult> {
  const result = await searchLibtorch(options)
  const wrong = result.candidates.find(({ place, verdict }) => verdict === 'refused' && isExplicit(place))
  if (wrong !== undefined && result.libtorch === undefined) throw wrongVariable(wrong)
  return result
}

/** The error for an environment variable that names something other than a usable libtorch. */
export function wrongVariable({ place, where, reason }: Pick<Candidate, 'place' | 'where' | 'reason'>): CaeError {
  return new CaeError('ERR_CAE_NO_LIBTORCH', {
    what: `${place}=${where}: ${reason}`,
    where,
    todo: `point ${place} at a libtorch folder or at site-packages/torch (version ${supportedRange}), or unset it`,
  })
}

const isExplicit = (place: Place) => place === 'CAE_LIBTORCH' || place === 'LIBTORCH'

async function lookAtVariable(place: 'CAE_LIBTORCH' | 'LIBTORCH', env: Environment): Promise<Candidate> {
  const folder = env[place]
  if (folder === undefined || folder === '') return { place, where: `$${place}`, verdict: 'absent', reason: 'is not set' }
  return judged(place, folder)
}

async function lookAtPython({ env, python }: SearchOptions): Promise<Candidate> {
  const where = 'python3'
  if (!python) return { place: 'python', where, verdict: 'skipped', reason: 'not asked (--no-python)' }
  const found = await findPython(env)
  if (found === undefined) return { place: 'python', where, verdict: 'absent', reason: 'no Python 3 on the PATH' }
  if (found.torch === undefined)
    return { place: 'python', where: found.command, verdict: 'absent', reason: `Python ${found.version} has no torch` }
  return judged('python', found.torch)
}

/** The newest whole libtorch of the cache: whoever runs `setup` again wants what that one gave. */
async function lookAtCache(env: Environment): Promise<Candidate> {
  const where = libtorchCache(env)
  const problems: string[] = []
  const whole: { folder: string; manifest: Manifest }[] = []
  for (const name of (await readdir(where).catch(() => [])).sort()) {
    if (!isManifestName(name)) continue // half made by a setup that was killed, or a lock
    const folder = join(where, name)
    const manifest = parseManifest(await readFile(join(folder, 'manifest.json'), 'utf8').catch(() => ''))
    const problem = manifest === undefined ? 'has no readable manifest.json' : await cacheProblem(folder, manifest)
    if (manifest !== undefined && problem === undefined) whole.push({ folder, manifest })
    else problems.push(`${name} ${problem}`)
  }
  const newest = whole.sort((a, b) => b.manifest.made.localeCompare(a.manifest.made))[0]
  if (newest !== undefined) return judged('cache', join(newest.folder, 'torch'))
  if (problems.length > 0) return { place: 'cache', where, verdict: 'refused', reason: problems.join('; ') }
  return { place: 'cache', where, verdict: 'absent', reason: 'nothing has been set up yet' }
}

async function judged(place: Place, where: string): Promise<Candidate> {
  const inspection = await inspectLibtorch(where)
  if (inspection.libtorch === undefined) return { place, where, verdict: 'refused', reason: inspection.problem }
  const { libtorch } = inspection
  return { place, where, verdict: 'found', reason: `libtorch ${libtorch.version}${libtorch.cuda ? ' with CUDA' : ''}`, libtorch }
}
