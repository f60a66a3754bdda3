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

/** The x86-64 level (psABI: v2, v3, v4) that these instruction sets make; elsewhere the word for what is unknown. */
export function cpuLevel(present: readonly string[]): string {
  const has = (...names: string[]) => names.every((name) => present.includes(name))
  if (!has('sse2')) return 'unknown level'
  if (!has('ssse3', 'sse4_1', 'sse4_2', 'popcnt')) return 'x86-64'
  if (!has('avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'movbe')) return 'x86-64-v2'
  return has('avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl') ? 'x86-64-v4' : 'x86-64-v3'
}
