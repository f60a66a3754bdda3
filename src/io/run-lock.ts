import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'

import { CaeError } from '../errors.js'
import { temporaryPath } from './atomic-write.js'
import { outputError, systemCode } from './output-error.js'

const beatMs = 30_000
/** A lock that nobody has touched for so long is stale, whoever made it: its machine is gone, or its thread was ended. */
const staleMs = 10 * 60_000

/** Who writes into a folder. `boot` and `started` tell a process from a later one with the same number. */
interface Holder {
  readonly pid: number
  readonly started: string
  readonly boot: string
  readonly host: string
  readonly token: string
}

/**
 * The right to write into a run's folder, held by a file with the process that has it. It is given up by disposing it; the lock of a process
 * that died, was on a machine that is gone, or whose number belongs to another process by now counts for nothing.
 */
export class RunLock implements AsyncDisposable {
  private readonly beat: NodeJS.Timeout

  private constructor(
    private readonly path: string,
    private readonly token: string,
  ) {
    this.beat = setInterval(() => {
      const now = new Date()
      utimes(path, now, now).catch(() => undefined) // one missed beat does no harm, and `assertHeld` notices a lost lock
    }, beatMs)
    this.beat.unref()
  }

  /** @throws {CaeError} ERR_CAE_OUTPUT when another run holds it, naming that run's process, or when the file cannot be made */
  static async take(path: string): Promise<RunLock> {
    const { pid } = process
    const holder: Holder = { pid, started: await startTime(pid), boot: await bootId(), host: hostname(), token: randomUUID() }
    for (;;) {
      if (await create(path, JSON.stringify(holder))) return new RunLock(path, holder.token)
      await removeStale(path)
    }
  }

  /** @throws {CaeError} ERR_CAE_OUTPUT when another run has taken the folder over meanwhile, or the folder is gone */
  async assertHeld(): Promise<void> {
    const holder = parseHolder(await readFile(this.path, 'utf8').catch(() => ''))
    if (holder?.token === this.token) return
    throw new CaeError('ERR_CAE_OUTPUT', {
      what: holder ? `process ${holder.pid} on ${holder.host} has taken this folder over` : 'the lock of this run is gone',
      where: this.path,
      todo: 'let one run write into a folder, and keep the folder while it runs',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.beat)
    const held = await this.assertHeld().then(
      () => true,
      () => false,
    )
    if (held) await rm(this.path, { force: true })
  }
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    await using file = await open(path, 'wx')
    await file.writeFile(content)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw outputError(path, error)
  }
}

/** Takes away a lock that nobody holds any more; throws when somebody does. */
async function removeStale(path: string): Promise<void> {
  const stale = await assertUnlocked(path)
  const aside = temporaryPath(path)
  await rename(path, aside).catch(() => undefined)
  // Of two runs that see the same stale lock the slower one may have moved the other's fresh one: that goes back.
  const moved = await readFile(aside, 'utf8').catch(() => stale)
  if (moved !== stale) await link(aside, path).catch(() => undefined)
  await rm(aside, { force: true })
}

/**
 * Looks, without touching anything, whether a run holds the lock at `path`.
 * @returns what a stale lock says, or nothing where there is none
 * @throws {CaeError} ERR_CAE_OUTPUT when one does, naming its process
 */
export async function assertUnlocked(path: string): Promise<string> {
  const info = await stat(path).catch(() => undefined)
  if (!info) return ''
  const text = await readFile(path, 'utf8').catch(() => '')
  const holder = parseHolder(text)
  const age = Date.now() - info.mtimeMs
  const alive = holder ? await isAlive(holder) : age < 5_000 // empty: its maker has opened it and not yet written into it
  if (alive && age < staleMs) {
    const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process'
    throw new CaeError('ERR_CAE_OUTPUT', {
      what: `another run (${who}) is writing into this folder`,
      where: path,
      todo: 'wait for it, stop it, or choose another `out`',
    })
  }
  return text
}

async function isAlive({ pid, started, boot, host }: Holder): Promise<boolean> {
  if (host !== hostname()) return true // cannot be seen from here: only its age tells
  if (boot !== (await bootId())) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return systemCode(error) === 'EPERM'
  }
  return started === (await startTime(pid))
}

/** When a process began, in the system's own unit; empty where the system does not say. */
async function startTime(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '' // field 22; the name before it may hold spaces
}

/** Names the time since the machine was started; empty where the system does not say. */
async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const { pid, started, boot, host, token } = value as Partial<Record<keyof Holder, unknown>>
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof boot !== 'string') return undefined
    return typeof host === 'string' && typeof token === 'string' ? { pid, started, boot, host, token } : undefined
  } catch {
    return undefined
  }
}
