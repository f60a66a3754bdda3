import { readFile } from 'node:fs/promises'

/** Names of /proc/cpuinfo that a compiler's `-march=native` turns into instructions. */
const instructionSets = /^(sse|ssse|avx|fma|f16c|bmi|amx|aes|vaes|gfni|vpclmul|pclmul|adx|sha|movbe|popcnt|abm|asimd|sve|bf16|i8mm)/

/** Instruction sets among the flags of one CPU, sorted. */
export function instructionSetsOf(flags: string): readonly string[] {
  return flags
    .split(/\s+/)
    .filter((flag) => instructionSets.test(flag))
    .sort()
}

/** Instruction sets of this CPU; empty where the system does not list them. */
export async function cpuInstructionSets(): Promise<readonly string[]> {
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return instructionSetsOf(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? '')
}

/** What `wanted` has and `present` lacks; nothing where this CPU's sets are unknown. */
export function missingInstructionSets(wanted: readonly string[], present: readonly string[]): readonly string[] {
  return present.length === 0 ? [] : wanted.filter((name) => !present.includes(name))
}

/** What each x86-64 level (psABI) has over the one below, by the names of /proc/cpuinfo. */
const levels = [
  ['x86-64', ['sse2']],
  ['x86-64-v2', ['ssse3', 'sse4_1', 'sse4_2', 'popcnt']],
  ['x86-64-v3', ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'movbe']],
  ['x86-64-v4', ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl']],
] as const

/** The highest x86-64 level that these instruction sets make; elsewhere the word for what is unknown. */
export function cpuLevel(present: readonly string[]): string {
  const lacking = levels.findIndex(([, names]) => names.some((name) => !present.includes(name)))
  const reached = lacking === -1 ? levels.length : lacking
  return levels[reached - 1]?.[0] ?? 'unknown level'
}

/** Instruction sets of an x86-64 level; none for anything else. */
export function levelSets(level: string): readonly string[] {
  const at = levels.findIndex(([name]) => name === level)
  return levels.slice(0, at + 1).flatMap(([, names]) => names)
}
