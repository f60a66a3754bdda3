import { mkdir, open, readFile, rm, rmdir, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const beatMs = 5_000
/** A lock whose holder has not touched it for so long is stale, whoever holds it. */
const staleMs = 60_000
const pollMs = 100

interface Holder {
  readonly pid: number
  readonly host: string
}

/**
 * Runs `work` while no other process on this cache runs under the same lock file. A holder that died is recognised by its process id, one on
 * another machine by a lock file that nobody touches any more.
 * @param onWait called once when another process holds the lock
 */
export async function withLock<T>(path: string, work: () => Promise<T>, onWait: (holder: string) => void = () => {}): Promise<T> {
  await mkdir(dirname(path), { recursive: true })
  let announced = false
  while (!(await take(path))) {
    if (await removeStale(path)) continue
    if (!announced) onWait(await readFile(path, 'utf8').catch(() => ''))
    announced = true
    await sleep(pollMs)
  }
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {}) // a missed beat is harmless; the next one comes
  }, beatMs)
  beat.unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    await rm(path, { force: true })
  }
}

/** Makes the lock file, or says that it exists. */
async function take(path: string): Promise<boolean> {
  try {
    await using file = await open(path, 'wx')
    await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() } satisfies Holder))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Takes away a lock that nobody holds any more; true when it is gone. */
async function removeStale(path: string): Promise<boolean> {
  if (!(await isStale(path))) return false
  // One process at a time looks again and removes: else a slow one could remove the fresh lock that a quick one has just taken.
  const guard = `${path}.removal`
  if (!(await makeGuard(guard))) return false
  try {
    if (await isStale(path)) await rm(path, { force: true })
  } finally {
    await rmdir(guard)
  }
  return true
}

async function makeGuard(guard: string): Promise<boolean> {
  try {
    await mkdir(guard)
    return true
  } catch {
    const info = await stat(guard).catch(() => undefined)
    if (info !== undefined && Date.now() - info.mtimeMs > staleMs) await rmdir(guard).catch(() => {}) // its maker died just here
    return false
  }
}

async function isStale(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined)
  if (info === undefined) return true
  const age = Date.now() - info.mtimeMs
  const holder = parseHolder(await readFile(path, 'utf8').catch(() => ''))
  const isDead = holder === undefined ? age > beatMs : holder.host === hostname() && !isAlive(holder.pid)
  return isDead || age > staleMs
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('host' in value)) return undefined
    const { pid, host } = value
    return typeof pid === 'number' && typeof host === 'string' ? { pid, host } : undefined
  } catch {
    return undefined // its maker has opened it and not yet written into it
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
