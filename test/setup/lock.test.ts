import { existsSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { withLock } from '../../src/setup/lock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const temporary = temporaryFolder()
const path = () => join(temporary(), 'x.lock')
/** Larger than any process id Linux gives. */
const deadPid = 2 ** 22 + 1

describe('lock', () => {
  test('lets one in at a time, in any number, and is gone afterwards', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
    }
    await Promise.all([withLock(path(), work), withLock(path(), work), withLock(path(), work)])
    expect(most).toBe(1)
    expect(existsSync(path())).toBe(false)
  })

  test('is released when the work fails', async () => {
    await expect(withLock(path(), () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await withLock(path(), async () => 'in')).toBe('in')
  })

  test('a lock whose process has died is taken over at once', async () => {
    writeFileSync(path(), JSON.stringify({ pid: deadPid, host: hostname() }))
    expect(await withLock(path(), async () => 'in')).toBe('in')
  })

  test('a lock of another machine is waited for, until nobody touches it any more', async () => {
    writeFileSync(path(), JSON.stringify({ pid: deadPid, host: 'elsewhere' }))
    const waited: string[] = []
    const entry = withLock(
      path(),
      async () => 'in',
      (holder) => {
        waited.push(holder)
        const longAgo = new Date(Date.now() - 3_600_000)
        utimesSync(path(), longAgo, longAgo)
      },
    )
    expect(await entry).toBe('in')
    expect(waited).toEqual([expect.stringContaining('elsewhere')])
  })
})
