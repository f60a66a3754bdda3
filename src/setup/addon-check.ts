import { isSameAbi } from './abi.js'
import type { AddonFile, AddonRecord } from './addon-record.js'
import type { Environment } from './cache-folder.js'
import { cpuInstructionSets, missingInstructionSets } from './cpu.js'
import { inspectLibtorch } from './libtorch-folder.js'
import { runProcess } from './run-process.js'

/** Why an addon must not be opened, or undefined: opening it all the same could end the process instead of failing. */
export async function addonProblem(record: AddonRecord): Promise<string | undefined> {
  const inspection = await inspectLibtorch(record.libtorch)
  if (inspection.libtorch === undefined) return `libtorch ${record.libtorch} ${inspection.problem}`
  const { version } = inspection.libtorch
  if (!isSameAbi(version, record.libtorchVersion)) {
    return `the addon was built for libtorch ${record.libtorchVersion}, ${record.libtorch} now holds ${version}: one build fits one minor version`
  }
  const missing = missingInstructionSets(record.instructionSets, await cpuInstructionSets())
  if (missing.length > 0) return `the addon was built for a CPU with ${missing.join(', ')}, which this one lacks`
  return undefined
}

/** What an addon said of itself in a process of its own. */
export interface TriedAddon {
  readonly libtorch: string
  readonly cuda: boolean
  readonly cudaDevices: number
  readonly cpuCapability: string
  readonly fastBf16: boolean
}

const trial = 'const m = { exports: {} }; process.dlopen(m, process.argv[1]); console.log(JSON.stringify(m.exports.version()))'

/** Opens an addon in a child process, so that one that crashes takes nothing with it. */
export async function tryAddon({ path }: AddonFile, env: Environment): Promise<TriedAddon | { readonly problem: string }> {
  const { status, stdout, stderr } = await runProcess(process.execPath, ['-e', trial, path], { env })
  if (status !== 0) return { problem: /Error: (.*)/.exec(stderr)?.[1] ?? `opening it ended a process with status ${status}` }
  const said = JSON.parse(stdout) as Record<keyof TriedAddon, unknown>
  return {
    libtorch: String(said.libtorch),
    cuda: said.cuda === true,
    cudaDevices: Number(said.cudaDevices),
    cpuCapability: String(said.cpuCapability),
    fastBf16: said.fastBf16 === true,
  }
}
