import { execFile, spawnSync } from 'node:child_process'
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { trainCAE } from '../../src/api/train.js'
import { verifyCheckpoint } from '../../src/train/checkpoint.js'
import type { TrainEvent } from '../../src/train/events.js'
import { drawImage, encodeImage } from '../support/images.js'
import { resultsOf, runTo } from '../support/stopped-runs.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyRun } from '../support/tiny-run.js'

jest.setTimeout(60_000)

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

/** Calls `harm` once at a step's event, and gives what the run ended with. */
async function harmed(run: ReturnType<typeof trainCAE>, step: number, harm: () => Promise<unknown>): Promise<unknown> {
  const reading = (async () => {
    let done = false
    for await (const event of run) {
      if (done || event.type !== 'step' || event.step < step) continue
      done = true
      await harm()
    }
  })()
  return Promise.all([run, reading]).then(
    () => undefined,
    (error: unknown) => error,
  )
}

const many = { steps: 400, checkpointEvery: 3, figureEvery: 0 } as const

test('a run whose folder is moved away ends with a coded error; its last checkpoint is whole and can be gone on with', async () => {
  const options = tinyRun(at('run'), { ...many, steps: 60 })
  const error = await harmed(trainCAE(options), 8, () => rename(at('run'), at('moved')))
  expect(error).toMatchObject({
    code: 'ERR_CAE_OUTPUT',
    exitCode: 4,
    message: expect.stringMatching(/lock of this run is gone|moved or deleted/),
  })
  const { step } = await verifyCheckpoint(at('moved', 'checkpoints/latest'))
  expect(step).toBeGreaterThan(0)

  await cp(at('moved'), at('back'), { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('run.lock') }) // ours, and we live
  await runTo(trainCAE, undefined, { ...options, out: at('back') })
  await runTo(trainCAE, undefined, { ...options, out: at('undisturbed') })
  expect(await resultsOf(at('back'))).toEqual(await resultsOf(at('undisturbed')))
})

test('a run whose folder is deleted ends with a coded error', async () => {
  const error = await harmed(trainCAE(tinyRun(at('run'), many)), 8, () => rm(at('run'), { recursive: true, maxRetries: 5 }))
  expect(error).toMatchObject({ code: 'ERR_CAE_OUTPUT', exitCode: 4 })
})

test('a checkpoint that cannot be written ends the run at a next step, not at its end; the last good one is intact', async () => {
  const seen: TrainEvent[] = []
  const run = trainCAE(tinyRun(at('run'), many))
  const reading = (async () => {
    for await (const event of run) seen.push(event)
  })()
  reading.catch(() => undefined)
  const error = await harmed(run, 8, async () => {
    await rename(at('run/checkpoints'), at('kept'))
    await writeFile(at('run/checkpoints'), '')
  })
  expect(error).toMatchObject({
    code: 'ERR_CAE_OUTPUT',
    exitCode: 4,
    message: expect.stringMatching(/(ENOTDIR|ENOENT)[\s\S]*checkpoints/),
  })
  await verifyCheckpoint(at('kept/latest'))
  const steps = seen.flatMap((event) => (event.type === 'step' ? [event.step] : []))
  expect(steps.at(-1)).toBeLessThan(400)
})

test('a second run in the same folder is refused, and the first one goes on', async () => {
  const options = tinyRun(at('run'), { ...many, checkpointEvery: 100 })
  let second: unknown
  const error = await harmed(trainCAE(options), 5, async () => {
    second = await trainCAE({ ...options, resume: 'auto' }).catch((reason: unknown) => reason)
  })
  expect(error).toBeUndefined()
  expect(second).toMatchObject({
    code: 'ERR_CAE_OUTPUT',
    exitCode: 4,
    message: expect.stringMatching(/another run \(process \d+ on [\s\S]*writing into this folder[\s\S]*run\.lock/),
  })
  expect(await verifyCheckpoint(at('run', 'checkpoints/latest'))).toMatchObject({ step: 400 })
})

// A file system of our own, small or closed: in a mount namespace that ends with its last process.
const isRoot = process.getuid?.() === 0
const unshare = ['unshare', isRoot ? '-m' : '-rm'] as const
const mountable = spawnSync(unshare[0], [unshare[1], 'sh', '-c', 'mount -t tmpfs -o size=64k none /mnt']).status === 0
if (!mountable) process.stderr.write('skipped: a full disk and a closed one; this system forbids mounts\n')
const withMounts = mountable ? describe : describe.skip

withMounts('on a file system of our own', () => {
  const tiny = '--model cae-nano --image-size 32 --embed-dim 16 --num-heads 2 --decoder-dim 16 --decoder-heads 2 --mask-shape random'
  const own = `${tiny} --batch-size 4 --steps 40 --precision fp32 --threads 1 --figure-every 0 --figure-images 1`
  const cli = join(__dirname, '../../lib/cli/main.js')
  const train = (...more: string[]) => [process.execPath, cli, 'pretrain', at('photos'), ...own.split(' '), ...more].join(' ')

  beforeEach(async () => {
    for (const name of ['photos', 'disk', 'copy']) await mkdir(at(name))
    for (let n = 0; n < 8; n++) await writeFile(at('photos', `${n}.png`), await encodeImage(drawImage(n, 40, 36), 'png'))
  })

  /** Mounts `disk` with these options, runs the lines, and copies what is on it to `copy`; gives status and standard error of the last line. */
  async function onDisk(options: string, ...lines: string[]): Promise<{ status: number; stderr: string }> {
    const last = lines.pop()
    const script = [
      `mount -t tmpfs -o ${options} none ${at('disk')}`,
      ...lines,
      `s=0; ${last} || s=$?`,
      `cp -a ${at('disk')}/. ${at('copy')}`,
    ]
    const env = { ...process.env, OMP_NUM_THREADS: '1', NO_COLOR: '1' }
    const running = promisify(execFile)(unshare[0], [unshare[1], 'sh', '-e', '-c', `${script.join('\n')}\nexit $s`], { env })
    return running.then(
      ({ stderr }) => ({ status: 0, stderr }),
      ({ code, stderr }) => ({ status: code, stderr }),
    )
  }

  test('a full disk: exit 4, and the last checkpoint is whole and can be gone on with', async () => {
    const keep = ['--checkpoint-every', '2', '--keep-every', '2']
    const { status, stderr } = await onDisk('size=2m', train('--out', at('disk/run'), ...keep))
    expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringMatching(/ENOSPC[\s\S]*free some disk space/) })
    const { step } = await verifyCheckpoint(at('copy/run/checkpoints/latest'))
    expect(step).toBeLessThan(40)
    expect((await readdir(at('copy/run/checkpoints'))).filter((name) => name.startsWith('.tmp'))).toEqual([])

    const again = promisify(execFile)('sh', ['-c', train('--out', at('copy/run'), '--resume', 'auto')])
    const undisturbed = promisify(execFile)('sh', ['-c', train('--out', at('whole'))])
    await Promise.all([again, undisturbed])
    expect(await resultsOf(at('copy/run'))).toEqual(await resultsOf(at('whole')))
  })

  test('a folder that turned read-only: exit 4 for a new run and for a resumed one, and the checkpoints stay as they are', async () => {
    const close = `mount -o remount,ro none ${at('disk')}`
    const fresh = `${train('--out', at('disk/new'))} 2>&1 | grep -q EROFS`
    const { status, stderr } = await onDisk(
      'size=8m',
      train('--out', at('disk/run')),
      close,
      fresh,
      train('--out', at('disk/run'), '--resume', 'auto'),
    )
    expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringMatching(/EROFS[\s\S]*read-only file system/) })
    expect(await verifyCheckpoint(at('copy/run/checkpoints/latest'))).toMatchObject({ step: 40 })
  })
})
