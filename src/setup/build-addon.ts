import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { CaeError } from '../errors.js'
import { addonProblem, tryAddon } from './addon-check.js'
import { type AddonFile, addonFile, addonIn, recordFile, sourceHash } from './addon-record.js'
import { addonCache, type Environment } from './cache-folder.js'
import { cpuInstructionSets } from './cpu.js'
import type { Libtorch } from './libtorch-folder.js'
import { withLock } from './lock.js'
import { libtorchLink, portableMarch, prebuiltAddon } from './prebuilt-addon.js'
import { runProcess } from './run-process.js'
import type { Log } from './unpack-libtorch.js'

export interface BuildOptions {
  /** Folder of CMakeLists.txt. */
  readonly root: string
  readonly libtorch: Libtorch
  readonly env: Environment
  readonly log: Log
  readonly signal?: AbortSignal | undefined
  /** For other machines too: a common instruction set, and libtorch by a link beside the addon. */
  readonly portable?: boolean | undefined
}

/** A file that includes libtorch's headers takes about this much memory to compile. */
const bytesPerCompiler = 2 ** 31

/**
 * Configures and builds the addon into `folder` with cmake-js; what is there and up to date is not built again.
 * @throws {CaeError} ERR_CAE_SETUP with the compiler's own words
 */
export async function buildAddon(folder: string, options: BuildOptions): Promise<AddonFile> {
  const { root, libtorch } = options
  await assertTools(options)
  if (await isUseless(folder, root)) await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const configured = await readConfiguration(folder)
  if (configured.root !== root || configured.libtorch !== libtorch.folder || configured.march !== marchOf(options)) {
    options.log(`configuring the addon for libtorch ${libtorch.version} in ${libtorch.folder}`)
    await cmakeJs('configure', folder, options)
  }
  await cmakeJs('build', folder, options)
  const addon = await addonIn(folder)
  if (addon === undefined) throw new CaeError('ERR_CAE_INTERNAL', { what: `the build left no ${addonFile}`, where: folder })
  return addon
}

/**
 * The addon of an installed package, in the cache folder: the one built earlier from the same sources against the same libtorch for this CPU,
 * else a prebuilt or a new one. It becomes the newest, which is what the loader takes.
 */
export async function cachedAddon(options: BuildOptions): Promise<{ readonly addon: AddonFile; readonly isNew: boolean }> {
  const { root, libtorch, env, log } = options
  const cache = addonCache(env)
  const sources = await sourceHash(root)
  const key = [libtorch.folder, libtorch.version, sources, ...(await cpuInstructionSets())].join('\0')
  const final = join(cache, `${sources}-torch${libtorch.version}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`)
  const work = async () => {
    const earlier = await addonIn(final)
    if (earlier !== undefined) {
      await utimes(join(final, recordFile), new Date(), new Date())
      return { addon: earlier, isNew: false }
    }
    const fresh = await mkdtemp(join(cache, '.new-'))
    const prebuilt = await takePrebuilt(fresh, options, sources)
    const build = `${final}.build`
    const from = prebuilt ?? (await buildAddon(build, options))
    if (prebuilt === undefined) await copyFile(from.path, join(fresh, addonFile))
    const record: unknown = JSON.parse(await readFile(join(dirname(from.path), recordFile), 'utf8'))
    await writeFile(join(fresh, recordFile), `${JSON.stringify({ ...Object(record), libtorch: libtorch.folder, sources }, null, 2)}\n`)
    await rename(fresh, final)
    await rm(build, { recursive: true, force: true })
    const addon = await addonIn(final)
    if (addon === undefined) throw new CaeError('ERR_CAE_INTERNAL', { what: 'the addon vanished after it was built', where: final })
    return { addon, isNew: true }
  }
  return withLock(`${final}.lock`, work, (holder) => log(`waiting for another set-up to end (${holder})`))
}

function marchOf({ portable }: BuildOptions): string {
  return portable ? portableMarch : 'native'
}

/** Copies the prebuilt addon into `folder`, with the link by which it finds libtorch; undefined where none fits or it does not open here. */
async function takePrebuilt(folder: string, { root, libtorch, env, log }: BuildOptions, sources: string): Promise<AddonFile | undefined> {
  const addon = await prebuiltAddon(root, libtorch, sources)
  if (addon === undefined) return undefined
  await symlink(libtorch.folder, join(folder, libtorchLink))
  await copyFile(addon.path, join(folder, addonFile))
  const tried = await tryAddon({ ...addon, path: join(folder, addonFile) }, env)
  if (!('problem' in tried)) return addon
  log(`the prebuilt addon ${addon.path} does not open here (${tried.problem}): building one`)
  return undefined
}

async function assertTools({ env }: BuildOptions): Promise<void> {
  const missing: string[] = []
  if ((await runProcess('cmake', ['--version'], { env })).status !== 0) missing.push('cmake (3.18 or newer)')
  const compilers = await Promise.all(['c++', 'g++', 'clang++'].map((name) => runProcess(name, ['--version'], { env })))
  if (compilers.every(({ status }) => status !== 0)) missing.push('a C++20 compiler')
  if (missing.length === 0) return
  throw new CaeError('ERR_CAE_SETUP', {
    what: `building the addon needs ${missing.join(' and ')}`,
    where: `PATH=${env.PATH ?? ''}`,
    todo: "apt-get install cmake g++ (or your system's way)",
  })
}

/** Whether what is built there is of another checkout, another libtorch minor version or another CPU: file times alone would not tell. */
async function isUseless(folder: string, root: string): Promise<boolean> {
  const configured = await readConfiguration(folder)
  if (configured.root !== undefined && configured.root !== root) return true
  const earlier = await addonIn(folder)
  return earlier !== undefined && (await addonProblem(earlier.record)) !== undefined
}

async function readConfiguration(
  folder: string,
): Promise<{ root?: string | undefined; libtorch?: string | undefined; march?: string | undefined }> {
  const cache = await readFile(join(folder, 'CMakeCache.txt'), 'utf8').catch(() => '')
  const value = (name: string) => new RegExp(`^${name}:[A-Z]+=(.*)$`, 'm').exec(cache)?.[1]
  return { root: value('CMAKE_HOME_DIRECTORY'), libtorch: value('CAE_LIBTORCH'), march: value('CAE_MARCH') }
}

/** Runs cmake-js in a process of its own: it changes the current folder and writes to the console as it likes. */
async function cmakeJs(command: 'configure' | 'build', folder: string, options: BuildOptions): Promise<void> {
  const { root, libtorch, env, log, signal, portable } = options
  const program = join(dirname(createRequire(__filename).resolve('cmake-js/package.json')), 'bin', 'cmake-js')
  const compilers = Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / bytesPerCompiler)))
  const settings = {
    CAE_LIBTORCH: libtorch.folder,
    CAE_MARCH: marchOf(options),
    CAE_RPATH: portable ? `$ORIGIN/${libtorchLink}/lib` : join(libtorch.folder, 'lib'),
    CMAKE_LIBRARY_OUTPUT_DIRECTORY: folder,
  }
  const args = [program, command, '--directory', root, '--out', folder, '--parallel', String(compilers), '--log-level', 'error']
  for (const [name, value] of Object.entries(settings)) args.push(`--CD${name}=${value}`)
  const lines: string[] = []
  const onLine = (line: string) => {
    lines.push(line)
    if (/^\[\s*\d+[/%]/.test(line)) log(line) // ninja's `[3/70]`, make's `[ 4%]`
  }
  const { status } = await runProcess(process.execPath, args, { env, cwd: root, onLine, ...(signal === undefined ? {} : { signal }) })
  signal?.throwIfAborted()
  if (status === 0) return
  const errors = lines.filter((line) => /error|fatal/i.test(line))
  const shown = (errors.length > 0 ? errors : lines).slice(0, 12).join('\n      ')
  throw new CaeError('ERR_CAE_SETUP', {
    what: `cmake-js ${command} failed (exit status ${status})`,
    where: `${folder}\n      ${shown}`,
    todo: 'see the lines above',
  })
}
