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
