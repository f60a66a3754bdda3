import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { arch, platform } from 'node:process'
import { CaeError } from '../errors.js'
import { pinnedCudaVersion, pinnedVersion } from './abi.js'
import { cacheFolder, type Environment } from './cache-folder.js'
import { download } from './download.js'
import type { Libtorch } from './libtorch-folder.js'
import { findPython, type Python, pip } from './python.js'
import { copyLibtorch, type Log, readFromZip, unpackLibtorch } from './unpack-libtorch.js'

export interface FetchOptions {
  readonly env: Environment
  readonly log: Log
  readonly signal?: AbortSignal | undefined
}

/** PyTorch's own package indexes, asked when the user's pip configuration does not lead to the wheel. */
const cpuIndex = 'https://download.pytorch.org/whl/cpu'
const cudaIndex = 'https://download.pytorch.org/whl/cu130'
/** PyTorch's libtorch archives. */
const zips: Readonly<Record<string, string>> = {
  'linux-x64': `libtorch-shared-with-deps-${pinnedVersion}%2Bcpu.zip`,
  'darwin-arm64': `libtorch-macos-arm64-${pinnedVersion}.zip`,
}
/** We use none of a wheel's Python code, so a wheel for another Python does as well. */
const anyPython = ['--python-version', '3.12', '--only-binary=:all:']
const offlineHelp = 'on a machine without network: `npx cae-torch setup --from FILE` (a torch wheel or a libtorch zip), or set CAE_LIBTORCH'

/**
 * Gets the pinned CPU libtorch into the cache: the wheel through pip (the user's configuration, then PyTorch's index), else PyTorch's zip.
 * @throws {CaeError} ERR_CAE_NO_LIBTORCH with every way tried
 */
export async function fetchCpuLibtorch(options: FetchOptions): Promise<Libtorch> {
  return inDownloadFolder(options, async (folder) => {
    const causes: string[] = []
    const wheel = await wheelByPip(`torch==${pinnedVersion}+cpu`, cpuIndex, folder, options, causes)
    if (wheel !== undefined) return unpackLibtorch([wheel], options.env, options.log)
    const zip = await officialZip(folder, options, causes)
    if (zip !== undefined) return unpackLibtorch([zip], options.env, options.log)
    throw notFetched(`libtorch ${pinnedVersion} (CPU)`, causes)
  })
}

/** Gets the pinned CUDA libtorch with NVIDIA's libraries of the exact versions its wheel asks for. */
export async function fetchCudaLibtorch(options: FetchOptions): Promise<Libtorch> {
  return inDownloadFolder(options, async (folder) => {
    const causes: string[] = []
    const wheel = await wheelByPip(`torch==${pinnedCudaVersion}`, cudaIndex, folder, options, causes)
    if (wheel === undefined) throw notFetched(`libtorch ${pinnedCudaVersion} with CUDA`, causes)
    const metadata = (await readFromZip(wheel, /^torch-[^/]+\.dist-info\/METADATA$/)) ?? ''
    const libraries = cudaRequirements(metadata)
    if (libraries.length === 0)
      throw new CaeError('ERR_CAE_SETUP', { what: 'this torch wheel asks for no CUDA libraries: it is a CPU wheel', where: wheel })
    const python = await findPython(options.env)
    if (python === undefined) throw notFetched('the CUDA libraries', ['no Python 3 on the PATH'])
    const parts = join(folder, 'nvidia')
    for (const [i, source] of [[], ['--index-url', cudaIndex]].entries()) {
      options.log(`downloading ${libraries.join(' ')}`)
      if (await tryPip(python, [...libraries, '--dest', parts, ...source], options, causes)) break
      if (i === 1) throw notFetched('the CUDA libraries', causes)
    }
    const wheels = (await readdir(parts)).filter((name) => name.endsWith('.whl')).map((name) => join(parts, name))
    return unpackLibtorch([wheel, ...wheels], options.env, options.log)
  })
}

/** Takes a libtorch from files at hand: a torch wheel, a libtorch zip, a folder of wheels, or a libtorch folder. */
export async function takeLibtorch(from: string, { env, log }: FetchOptions): Promise<Libtorch> {
  const info = await stat(from).catch(() => undefined)
  if (info === undefined) throw new CaeError('ERR_CAE_SETUP', { what: 'there is no such file', where: from, todo: 'setup --from FILE' })
  if (info.isFile()) return unpackLibtorch([from], env, log)
  const archives = (await readdir(from)).filter((name) => /\.(whl|zip)$/.test(name)).map((name) => join(from, name))
  return archives.length > 0 ? unpackLibtorch(archives, env, log) : copyLibtorch(from, env, log)
}

/** The requirements of a torch wheel that are NVIDIA libraries: `nvidia-*` wheels, or the `cuda-toolkit` that stands for several. */
export function cudaRequirements(metadata: string): readonly string[] {
  const required = [...metadata.matchAll(/^Requires-Dist: ([^;\n]+)/gm)].map((match) => (match[1] ?? '').replaceAll(' ', ''))
  return required.filter((name) => /^(nvidia-|cuda-toolkit\b)/.test(name))
}

async function inDownloadFolder<T>({ env }: FetchOptions, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(cacheFolder(env), { recursive: true })
  const folder = await mkdtemp(join(cacheFolder(env), '.download-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function wheelByPip(
  spec: string,
  index: string,
  folder: string,
  options: FetchOptions,
  causes: string[],
): Promise<string | undefined> {
  const python = await findPython(options.env)
  if (python === undefined) {
    causes.push('pip: no Python 3 on the PATH')
    return undefined
  }
  for (const source of [[], ['--index-url', index]]) {
    for (const tag of [[], anyPython]) {
      options.log(`downloading ${spec}${source.length > 0 ? ` from ${index}` : ' as pip is configured'}`)
      if (!(await tryPip(python, ['--no-deps', spec, '--dest', folder, ...source, ...tag], options, causes))) continue
      const wheel = (await readdir(folder)).find((name) => name.startsWith('torch-') && name.endsWith('.whl'))
      if (wheel !== undefined) return join(folder, wheel)
    }
  }
  return undefined
}

async function tryPip(python: Python, args: readonly string[], { env, signal }: FetchOptions, causes: string[]): Promise<boolean> {
  const run = { env, ...(signal === undefined ? {} : { signal }) }
  const { status, stderr } = await pip(python, ['download', '--quiet', '--retries', '1', '--timeout', '20', ...args], run)
  signal?.throwIfAborted()
  if (status === 0) return true
  const said = stderr.split('\n').filter((line) => line.includes('ERROR') || line.includes('No module named'))
  causes.push(`pip ${args.join(' ')}: ${said.at(-1)?.trim() ?? `exit status ${status}`}`)
  return false
}

async function officialZip(folder: string, { env, log, signal }: FetchOptions, causes: string[]): Promise<string | undefined> {
  const name = zips[`${platform}-${arch}`]
  if (name === undefined) {
    causes.push(`PyTorch publishes no libtorch zip for ${platform}-${arch}`)
    return undefined
  }
  const url = `https://download.pytorch.org/libtorch/cpu/${name}`
  log(`downloading ${url}`)
  try {
    await download(url, join(folder, 'libtorch.zip'), { env, signal })
    return join(folder, 'libtorch.zip')
  } catch (error) {
    if (!(error instanceof CaeError)) throw error
    causes.push(`${url}: ${error.parts.what}`)
    return undefined
  }
}

function notFetched(what: string, causes: readonly string[]): CaeError {
  return new CaeError('ERR_CAE_NO_LIBTORCH', { what: `${what} could not be fetched`, where: causes.join('\n      '), todo: offlineHelp })
}
