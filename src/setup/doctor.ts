import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { arch, version as nodeVersion, platform } from 'node:process'
import { CaeError } from '../errors.js'
import { addonProblem, type TriedAddon, tryAddon } from './addon-check.js'
import { cacheFolder, type Environment } from './cache-folder.js'
import { chooseAddon, packageRoot, setupCommand } from './choose-addon.js'
import { cpuInstructionSets, cpuLevel } from './cpu.js'
import { type Candidate, searchLibtorch } from './libtorch.js'
import { currentLibc, type Libc, platformProblem } from './platform.js'
import { findPython } from './python.js'
import { runProcess } from './run-process.js'
import { packageVersion } from './setup.js'

export interface DiagnoseOptions {
  readonly env?: Environment | undefined
  /** Whether to look for a Python torch; true. */
  readonly python?: boolean | undefined
}

/** Everything that decides whether training can run here. Plain data: `--json` prints it as it is. */
export interface Diagnosis {
  /** The addon opens and answers. */
  readonly canTrain: boolean
  readonly package: string
  readonly node: string
  readonly platform: string
  readonly libc: Libc
  readonly cpu: { readonly model: string; readonly cores: number; readonly level: string; readonly bf16: boolean }
  /** Version line of each tool that a build needs; null where it is missing. */
  readonly tools: {
    readonly cmake: string | null
    readonly compiler: string | null
    readonly python: string | null
    readonly pip: string | null
  }
  readonly cacheFolder: string
  /** Where libtorch was looked for, in order of preference. */
  readonly libtorch: readonly Candidate[]
  readonly addon: { readonly path: string | null; readonly builtFor: string | null; readonly running: TriedAddon | null }
  /** Name, driver version and memory of each GPU the NVIDIA driver reports. */
  readonly gpus: readonly string[]
  readonly problems: readonly string[]
  /** The one command to run when training cannot. */
  readonly todo: string | null
}

/** Looks at this machine without changing it; works without libtorch, without the addon and on musl. */
export async function diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
  const env = options.env ?? process.env
  const [cmake, compiler, python, gpus, sets] = await Promise.all([
    firstLine('cmake', ['--version'], env),
    firstLine('c++', ['--version'], env),
    findPython(env),
    listGpus(env),
    cpuInstructionSets(),
  ])
  const pip = python === undefined ? null : await firstLine(python.command, ['-m', 'pip', '--version'], env)
  const { candidates } = await searchLibtorch({ env, python: options.python ?? true, everywhere: true })
  const addon = await examineAddon(env)
  const unsupported = platformProblem()
  const wrong = candidates.filter(({ place, verdict }) => verdict === 'refused' && place !== 'python')
  const problems = [
    ...(unsupported === undefined ? [] : [unsupported]),
    ...wrong.map(({ place, where, reason }) => `${place}: ${where} ${reason}`),
    ...addon.problems,
  ]
  const canTrain = addon.running !== null && unsupported === undefined
  return {
    canTrain,
    package: await packageVersion(),
    node: nodeVersion,
    platform: `${platform}-${arch}`,
    libc: currentLibc(),
    cpu: {
      model: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      level: cpuLevel(sets),
      bf16: sets.some((name) => /bf16/.test(name)),
    },
    tools: { cmake, compiler, python: python?.version ?? null, pip },
    cacheFolder: cacheFolder(env),
    libtorch: candidates,
    addon: { path: addon.path, builtFor: addon.builtFor, running: addon.running },
    gpus,
    problems,
    todo: canTrain || unsupported !== undefined ? null : setupCommand(packageRoot),
  }
}

async function examineAddon(env: Environment): Promise<Diagnosis['addon'] & { problems: readonly string[] }> {
  const nothing = { path: null, builtFor: null, running: null }
  try {
    const { addon, causes } = await chooseAddon(env, packageRoot)
    if (addon === undefined) return { ...nothing, problems: ['the native addon has not been built', ...causes] }
    const facts = { path: addon.path, builtFor: `${addon.record.libtorchVersion} in ${addon.record.libtorch}` }
    const problem = platformProblem() ?? (await addonProblem(addon.record))
    if (problem !== undefined) return { ...facts, running: null, problems: [problem] }
    const tried = await tryAddon(addon, env)
    if ('problem' in tried) return { ...facts, running: null, problems: [`the addon cannot be opened: ${tried.problem}`] }
    return { ...facts, running: tried, problems: [] }
  } catch (error) {
    return { ...nothing, problems: [error instanceof CaeError ? error.parts.what : String(error)] }
  }
}

async function firstLine(command: string, args: readonly string[], env: Environment): Promise<string | null> {
  const { status, stdout } = await runProcess(command, args, { env })
  return status === 0 ? (stdout.split('\n')[0]?.trim() ?? null) : null
}

async function listGpus(env: Environment): Promise<readonly string[]> {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']
  const { status, stdout } = await runProcess('nvidia-smi', query, { env })
  if (status === 0)
    return stdout
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
  const driver = await readFile('/proc/driver/nvidia/version', 'utf8').catch(() => '')
  return driver === '' ? [] : [driver.split('\n')[0] ?? '']
}
