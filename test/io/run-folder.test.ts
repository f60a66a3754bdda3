import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { inspectRunFolder, RunFolder } from '../../src/io/run-folder.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const out = () => join(folder(), 'run')
const lock = () => join(out(), 'run.lock')
const bootFile = '/proc/sys/kernel/random/boot_id'

describe('inspectRunFolder', () => {
  test('finds a place for a new run in what is missing, empty, or holds other things', async () => {
    expect(await inspectRunFolder(out())).toEqual({ kind: 'free' })
    await mkdir(out())
    await writeFile(join(out(), 'notes.txt'), '')
    expect(await inspectRunFolder(out())).toEqual({ kind: 'free' })
  })

  test('finds a run with its configuration', async () => {
    await using run = await RunFolder.claim(out())
    await run.writeConfig({ seed: 7 })
    expect(await inspectRunFolder(out())).toEqual({ kind: 'run', config: { seed: 7 } })
  })

  test.each([
    ['a file', () => writeFile(out(), ''), 'ERR_CAE_OUTPUT', /ENOTDIR/],
    ['checkpoints without a configuration', () => mkdir(join(out(), 'checkpoints'), { recursive: true }), 'ERR_CAE_OPTION', /^out: /],
    [
      'a torn configuration',
      () => mkdir(out()).then(() => writeFile(join(out(), 'config.json'), '{"a')),
      'ERR_CAE_CHECKPOINT',
      /config\.json/,
    ],
  ])('refuses %s and leaves it alone', async (_, make, code, message) => {
    await make()
    await expect(inspectRunFolder(out())).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    expect(await folder.list()).toEqual(['run'])
  })
})

describe('RunFolder', () => {
  test('clears away what a killed run left half-made, and nothing else', async () => {
    for (const path of ['checkpoints/.tmp-step-3-x', 'checkpoints/step-2', 'images', 'mine'])
      await mkdir(join(out(), path), { recursive: true })
    for (const path of ['.tmp-config.json-x', 'checkpoints/.tmp-step-3-x/model.safetensors', 'images/.tmp-loss.png-x', 'mine/.tmp-y']) {
      await writeFile(join(out(), path), '')
    }
    await using _ = await RunFolder.claim(out())
    const { readdir } = await import('node:fs/promises')
    expect((await readdir(out(), { recursive: true })).sort()).toEqual([
      'checkpoints',
      'checkpoints/step-2',
      'images',
      'mine',
      'mine/.tmp-y',
      'run.lock',
    ])
  })

  test('lets one run in at a time, and the next one after it', async () => {
    {
      await using first = await RunFolder.claim(out())
      await first.assertHeld()
      await expect(RunFolder.claim(out())).rejects.toMatchObject({
        code: 'ERR_CAE_OUTPUT',
        message: expect.stringMatching(new RegExp(`process ${process.pid} on[\\s\\S]*another \`out\``)),
      })
      await first.assertHeld()
    }
    await using _ = await RunFolder.claim(out())
  })

  test('is refused where the path leads through a file', async () => {
    await writeFile(out(), '')
    await expect(RunFolder.claim(join(out(), 'below'))).rejects.toMatchObject({
      code: 'ERR_CAE_OUTPUT',
      message: expect.stringContaining('run/below'),
    })
  })

  const boot = existsSync(bootFile) ? readFileSync(bootFile, 'utf8').trim() : ''
  const holder = { pid: process.pid, started: '1', boot, host: hostname(), token: 'x' }
  const dead = async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    return { ...holder, pid: child.pid }
  }
  /** What a run of this very process writes: nothing but the boot tells it from a live one. */
  const ownLock = async () => {
    await using _ = await RunFolder.claim(join(folder(), 'other'))
    return JSON.parse(await readFile(join(folder(), 'other', 'run.lock'), 'utf8'))
  }
  test.each([
    ['of a process that has ended', dead],
    ['of a process whose number another one has now', async () => holder],
    ['from before the machine was started', async () => ({ ...(await ownLock()), boot: 'earlier' })],
    ['that was never filled', async () => ''],
  ])('takes over a lock %s', async (_, make) => {
    const content = JSON.stringify(await make())
    await mkdir(out())
    await writeFile(lock(), content)
    const old = new Date(Date.now() - 60_000)
    await utimes(lock(), old, old)
    await using run = await RunFolder.claim(out())
    expect(JSON.parse(await readFile(lock(), 'utf8'))).toMatchObject({ pid: process.pid })
    await run.assertHeld()
  })

  test('believes the lock of another machine until nobody has touched it for ten minutes', async () => {
    await mkdir(out())
    await writeFile(lock(), JSON.stringify({ ...holder, host: 'elsewhere' }))
    await expect(RunFolder.claim(out())).rejects.toThrow(/on elsewhere/)
    const old = new Date(Date.now() - 11 * 60_000)
    await utimes(lock(), old, old)
    await using _ = await RunFolder.claim(out())
  })

  test('notices that it was taken over, and does not remove the new lock then', async () => {
    {
      await using run = await RunFolder.claim(out())
      await writeFile(lock(), JSON.stringify({ ...holder, token: 'other' }))
      await expect(run.assertHeld()).rejects.toMatchObject({
        code: 'ERR_CAE_OUTPUT',
        message: expect.stringMatching(/taken this folder over/),
      })
    }
    expect(JSON.parse(await readFile(lock(), 'utf8'))).toMatchObject({ token: 'other' })
  })
})
