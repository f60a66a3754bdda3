import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSafetensors } from '../../src/io/safetensors.js'
import { drawImage, encodeImage } from '../support/images.js'
import { runCli, startCli } from '../support/run-cli.js'
import { temporaryFolder } from '../support/temporary-folder.js'

jest.setTimeout(60_000)

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

/** Two classes of six images each. */
beforeEach(async () => {
  for (const name of ['cats', 'dogs']) {
    await mkdir(at('photos', name), { recursive: true })
    for (let n = 0; n < 6; n++) await writeFile(at('photos', name, `${n}.png`), await encodeImage(drawImage(n, 40, 36), 'png'))
  }
})

const small = '--model cae-nano --image-size 32 --embed-dim 16 --num-heads 2 --decoder-dim 16 --decoder-heads 2 --mask-shape random'.split(
  ' ',
)

/** Arguments of a pre-training that takes about a second. */
function pretrain(out: string, ...more: string[]): string[] {
  return ['pretrain', at('photos'), '--out', at(out), ...small, '--batch-size', '4', '--steps', '300', '--precision', 'fp32', ...more]
}

test('a run goes through every command', async () => {
  expect(await runCli(pretrain('run'))).toMatchObject({ status: 0 })
  const data = ['--data', at('photos')]
  const features = at('features.safetensors')
  const answers = await Promise.all([
    runCli(['embed', at('run'), ...data, '--out', features, '--feature', 'avg']),
    runCli(['eval', 'knn', at('run'), ...data, '--query', at('photos'), '--k', '3', '--json']),
    runCli([
      'eval',
      'linear',
      at('run'),
      ...data,
      '--query',
      at('photos'),
      '--epochs',
      '2',
      '--warmup-epochs',
      '1',
      '--batch-size',
      '4',
      '--json',
    ]),
    runCli(['reconstruct', at('run'), ...data, '--out', at('picture.png'), '--json']),
    runCli(['inspect', at('run'), '--json']),
  ])
  expect(answers.map(({ status, stderr }) => ({ status, stderr }))).toEqual(answers.map(() => ({ status: 0, stderr: expect.any(String) })))
  const [, knn, linear, picture, inspection] = answers.map(({ stdout }) => (stdout.startsWith('{') ? JSON.parse(stdout) : undefined))
  await using file = await openSafetensors(features)
  expect((await file.readFloat32('features')).shape).toEqual([12, 16])
  expect([...(await file.read('labels')).data]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
  expect(knn).toMatchObject({ task: 'knn' })
  expect(linear).toMatchObject({ task: 'linear' })
  expect(picture.psnr.masked).toBeGreaterThan(5)
  expect((await readFile(at('picture.png'))).subarray(1, 4).toString()).toBe('PNG')
  expect(inspection).toMatchObject({ usable: true, step: 300, method: 'cae' })
})

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s ends the step and checkpoints, and --resume auto ends with the weights of an undisturbed run', async (signal, wanted) => {
  const run = startCli(pretrain('stopped', '--json'))
  await run.said('stdout', '"type":"step"')
  run.kill(signal)
  const { status, stdout, stderr } = await run.finished
  expect({ status, stderr }).toEqual({ status: wanted, stderr: expect.stringContaining(`stopped by ${signal}`) })
  expect(stdout).not.toContain('"step":300,')
  expect(await runCli(pretrain('stopped', '--resume', 'auto'))).toMatchObject({ status: 0 })
  expect(await runCli(pretrain('undisturbed'))).toMatchObject({ status: 0 })
  const [stopped, undisturbed] = await Promise.all(['stopped', 'undisturbed'].map(weights))
  expect(stopped?.equals(undisturbed as Buffer)).toBe(true)
})

test('a second SIGINT leaves at once', async () => {
  const slow = '--model cae-tiny --batch-size 12 --steps 5 --precision fp32 --json'.split(' ')
  const run = startCli(['pretrain', at('photos'), '--out', at('slow'), ...slow])
  await run.said('stdout', '"type":"step"') // the next step is on its way, and takes seconds
  run.kill('SIGINT')
  await run.said('stderr', 'once more to leave at once')
  run.kill('SIGINT')
  const { status, stderr } = await run.finished
  expect({ status, stderr }).toEqual({ status: 130, stderr: expect.not.stringContaining('stopped by') })
  expect(existsSync(at('slow', 'checkpoints', 'latest'))).toBe(false)
})

test('under Slurm SIGUSR1 and SIGUSR2 make a checkpoint each, and the run goes on to its end', async () => {
  const run = startCli(pretrain('job', '--json', '--steps', '600'), { env: { SLURM_JOB_ID: '7' } })
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
    await run.said('stdout', '"type":"step"')
    run.kill(signal)
    await run.said('stdout', '"type":"checkpoint"')
  }
  const { status, stdout, stderr } = await run.finished
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/SIGUSR1: writing a checkpoint[\s\S]*SIGUSR2: writing/) })
  expect(stdout.match(/"type":"checkpoint","step":\d+/g)).toEqual([expect.anything(), expect.anything(), '"type":"checkpoint","step":600'])
})

test('elsewhere SIGUSR2 has no such meaning', async () => {
  const run = startCli(pretrain('plain', '--json'), { env: { SLURM_JOB_ID: undefined } })
  await run.said('stdout', '"type":"step"')
  run.kill('SIGUSR2')
  expect((await run.finished).status).toBeNull() // ended by the signal
})

test('a reader that has gone ends a training with a checkpoint too', async () => {
  const run = startCli(pretrain('unread', '--json'))
  await run.said('stdout', '"type":"step"')
  run.stopReading()
  expect(await run.finished).toMatchObject({ status: 141, stderr: expect.stringContaining('stopped by SIGPIPE') })
  expect(existsSync(at('unread', 'checkpoints', 'latest', 'model.safetensors'))).toBe(true)
})

function weights(run: string): Promise<Buffer> {
  return readFile(at(run, 'checkpoints', 'latest', 'model.safetensors'))
}
