import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where figures were measured: a figure without it says nothing. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly platform: string
  readonly node: string
  /** Load average of the last minute when the bench began: over 0.5 somebody else was at work. */
  readonly loadBefore: number | null
}

/** Which source was measured. */
export interface Source {
  readonly commit: string | null
  /** Tracked files differed from the commit. */
  readonly dirty: boolean
}

/** This machine, without its name. */
export async function describeMachine(): Promise<Machine> {
  return {
    cpu: (await cpuName()) ?? cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    loadBefore: await loadAverage(),
  }
}

/** The checked-out commit; null outside a clone. */
export async function describeSource(root: string): Promise<Source> {
  try {
    const commit = (await run('git', ['rev-parse', 'HEAD'], { cwd: root })).stdout.trim()
    const changes = (await run('git', ['status', '--porcelain', '--untracked-files=no'], { cwd: root })).stdout
    // Results are written into the tree by the benches themselves.
    const dirty = changes.split('\n').some((line) => line !== '' && !line.includes('bench/results/'))
    return { commit, dirty }
  } catch {
    return { commit: null, dirty: false }
  }
}

/** Name with family and model: cloud machines call very different cores by one name. */
async function cpuName(): Promise<string | null> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const field = (name: string) => info.match(new RegExp(`^${name}\\s*: (.*)$`, 'm'))?.[1]
  const name = field('model name')
  return name === undefined ? null : `${name} (family ${field('cpu family')}, model ${field('model')})`
}

async function loadAverage(): Promise<number | null> {
  const text = await readFile('/proc/loadavg', 'utf8').catch(() => '')
  return text === '' ? null : Number.parseFloat(text)
}
