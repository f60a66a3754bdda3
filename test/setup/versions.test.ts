import { isSameAbi, isSupported, parseTorchVersion } from '../../src/setup/abi.js'
import { cpuLevel, instructionSetsOf, levelSets, missingInstructionSets } from '../../src/setup/cpu.js'
import { platformProblem } from '../../src/setup/platform.js'

describe('libtorch versions', () => {
  test.each([
    ['2.11.0', true],
    ['2.13.0+cpu', true],
    ['2.14.1+cu130', true],
    ['2.14.0a0+gitabc', true],
    ['2.10.1', false],
    ['2.15.0', false],
    ['1.13.1', false],
    ['3.13.0', false],
  ])('%s is supported: %s', (text, expected) => {
    const version = parseTorchVersion(text)
    expect(version !== undefined && isSupported(version)).toBe(expected)
  })

  test('a text that is no version is none', () => {
    expect(parseTorchVersion('unknown')).toBeUndefined()
    expect(parseTorchVersion('')).toBeUndefined()
  })

  test('patch and build tag may differ between addon and libtorch, the minor version may not', () => {
    expect(isSameAbi('2.13.0', '2.13.1+cu130')).toBe(true)
    expect(isSameAbi('2.13.0', '2.14.0')).toBe(false)
    expect(isSameAbi('2.1.0', '2.13.0')).toBe(false)
  })
})

describe('platform', () => {
  const glibc = (version: string) => ({ kind: 'glibc' as const, version })

  test('refuses musl, an old glibc and an unknown system, each by name', () => {
    expect(platformProblem({ kind: 'musl' }, 'linux-x64')).toMatch(/musl/)
    expect(platformProblem(glibc('2.17'), 'linux-x64')).toMatch(/2\.28.*2\.17/)
    expect(platformProblem({ kind: 'none' }, 'win32-x64')).toMatch(/win32-x64/)
  })

  test('takes a glibc of the floor and newer ones', () => {
    for (const version of ['2.28', '2.36', '3.0']) expect(platformProblem(glibc(version), 'linux-x64')).toBeUndefined()
  })
})

describe('CPU', () => {
  const v3 = instructionSetsOf('fpu sse2 ssse3 sse4_1 sse4_2 popcnt avx avx2 bmi1 bmi2 f16c fma movbe nx')

  test('names the level of x86-64', () => {
    expect(v3).not.toContain('fpu')
    expect(cpuLevel(v3)).toBe('x86-64-v3')
    expect(cpuLevel([...v3, ...instructionSetsOf('avx512f avx512bw avx512cd avx512dq avx512vl')])).toBe('x86-64-v4')
    expect(cpuLevel(instructionSetsOf('sse2'))).toBe('x86-64')
    expect(cpuLevel([])).toBe('unknown level')
    for (const level of ['x86-64', 'x86-64-v2', 'x86-64-v3', 'x86-64-v4']) expect(cpuLevel(levelSets(level))).toBe(level)
    expect(levelSets('armv8.2-a')).toEqual([])
    expect(cpuLevel([])).toBe('unknown level')
  })

  test('an addon may want no more than the CPU has; an unlisted CPU is not judged', () => {
    expect(missingInstructionSets(['avx2', 'avx512f'], v3)).toEqual(['avx512f'])
    expect(missingInstructionSets(['avx2'], [])).toEqual([])
  })
})
