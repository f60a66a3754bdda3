import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { mkdir, readdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { RngStream } from '../../src/rng.js'
import { verifyCheckpoint } from '../../src/train/checkpoint.js'
import { drawImage, encodeImage } from './images.js'
import { differences, resultsOf } from './stopped-runs.js'

/** When a training is killed: any time after its start, among its steps, or around a checkpoint's writing. */
type Moment = 'start' | 'step' | 'write'

export interface KillOptions {
  /** Path of the built command line. */
  readonly cli: string
  /** An empty folder. */
  readonly folder: string
  readonly kills: number
  readonly seed: number
  /** Optimizer steps of a run; when one ends before all kills are made, another one begins. */
  readonly steps: number
}

export interface KillReport {
  readonly kills: number
  /** Kills that left a checkpoint half written, and by what each moment was chosen. */
  readonly insideWrite: number
  readonly moments: Readonly<Record<Moment, number>>
  /** Runs that were killed and resumed until their end. */
  readonly runs: number
  /** What was not as it should be; empty is good. */
  readonly problems: readonly string[]
}

/** The arguments of a training that makes a step in milliseconds and a checkpoint every few steps. */
const training =
  '--model cae-nano --image-size 32 --embed-dim 16 --num-heads 2 --decoder-dim 16 --decoder-heads 2 --mask-shape random --batch-size 4 ' +
  '--precision fp32 --threads 1 --checkpoint-every 4 --figure-every 0 --figure-images 1 --resume auto --json'

/** Kills trainings with SIGKILL at seeded random moments, resumes each, and compares their ends with that of an undisturbed one. */
export async function killTraining({ cli, folder, kills, seed, steps }: KillOptions): Promise<KillReport> {
  const photos = join(folder, 'photos')
  await mkdir(photos)
  for (let n = 0; n < 10; n++) await writeFile(join(photos, `${n}.png`), await encodeImage(drawImage(n, 40, 36), 'png'))
  const start = (out: string) => new Child(cli, ['pretrain', photos, '--out', out, '--steps', String(steps), ...training.split(' ')], out)

  const undisturbed = join(folder, 'undisturbed')
  await start(undisturbed).end()
  const want = await resultsOf(undisturbed)

  const moments = { start: 0, step: 0, write: 0 }
  const problems: string[] = []
  let [made, insideWrite, runs] = [0, 0, 0]
  while (made < kills) {
    const out = join(folder, `run-${runs}`)
    for (let isOver = false; !isOver; ) {
      const child = start(out)
      if (made === kills) {
        await child.end()
        isOver = true
      } else {
        const random = new RngStream({ seed, purpose: 'jitter', time: made, index: 0 })
        const moment = momentOf(random.uniform())
        const before = await unfinished(out)
        isOver = !(await child.killAt(moment, random))
        if (isOver) continue
        made++
        moments[moment]++
        if ((await unfinished(out)).some((name) => !before.includes(name))) insideWrite++
        problems.push(...(await latestProblems(out)))
      }
    }
    problems.push(...differences(want, await resultsOf(out)).map((name) => `${name} of run ${runs} is not that of the undisturbed run`))
    runs++
  }
  return { kills: made, insideWrite, moments, runs, problems }
}

function momentOf(share: number): Moment {
  if (share < 0.15) return 'start'
  return share < 0.45 ? 'step' : 'write'
}

/** Names of checkpoints that were begun and not finished. */
async function unfinished(out: string): Promise<string[]> {
  const names = await readdir(join(out, 'checkpoints')).catch(() => [])
  return names.filter((name) => name.startsWith('.tmp-step-'))
}

async function latestProblems(out: string): Promise<string[]> {
  const latest = join(out, 'checkpoints/latest')
  if (!existsSync(join(out, 'checkpoints')) || !(await readdir(join(out, 'checkpoints'))).includes('latest')) return []
  return await realpath(latest)
    .then((path) => verifyCheckpoint(path))
    .then(
      () => [],
      (error: unknown) => [`latest is broken: ${String(error)}`],
    )
}

/** A training in a process of its own. */
class Child {
  private readonly process
  private readonly exit: Promise<unknown>
  private said = ''
  private complaint = ''

  constructor(
    cli: string,
    args: readonly string[],
    private readonly out: string,
  ) {
    const env = { ...process.env, OMP_NUM_THREADS: '1', OMP_WAIT_POLICY: 'passive', NO_COLOR: '1' }
    this.process = spawn(process.execPath, [cli, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.exit = once(this.process, 'exit')
    this.process.stdout.on('data', (data) => {
      this.said += data
    })
    this.process.stderr.on('data', (data) => {
      this.complaint += data
    })
  }

  /** Waits for its end, which must be a good one. */
  async end(): Promise<void> {
    await this.exit
    if (this.process.exitCode !== 0) throw new Error(`a training ended with ${this.process.exitCode}: ${this.complaint}`)
  }

  /** Kills it at a moment of this kind. @returns false when it had come to its end before */
  async killAt(moment: Moment, random: RngStream): Promise<boolean> {
    const isOver = this.exit.then(() => undefined)
    await Promise.race([this.wait(moment, random), isOver])
    this.process.kill('SIGKILL')
    await this.exit
    if (this.process.signalCode === 'SIGKILL') return true
    await this.end() // throws when it ended badly: nothing but the kill may stop it
    return false
  }

  private async wait(moment: Moment, random: RngStream): Promise<void> {
    if (moment === 'start') return void (await delay(random.uniform() * 1500))
    const steps = Math.floor(random.uniform() * 20)
    await this.steps(1 + steps)
    if (moment === 'write') await this.writing(Math.floor(random.uniform() * 3))
    await delay(random.uniform() * 8)
  }

  private async steps(count: number): Promise<void> {
    while (this.said.split('"type":"step"').length <= count) await once(this.process.stdout, 'data')
  }

  /** Waits until a checkpoint is begun, some later one where `skip` says so. */
  private writing(skip: number): Promise<void> {
    return new Promise((resolve) => {
      const seen = new Set<string>()
      const watcher: FSWatcher = watch(join(this.out, 'checkpoints'), (_, name) => {
        if (name?.startsWith('.tmp-step-')) seen.add(name)
        if (seen.size <= skip) return
        watcher.close()
        resolve()
      })
      this.process.once('exit', () => watcher.close())
    })
  }
}
