import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { replay } from '../../src/api/replay.js'
import { trainCAE } from '../../src/api/train.js'
import type { TrainOptions } from '../../src/methods/resolve.js'
import { drawImage, encodeImage } from '../support/images.js'
import { runCli } from '../support/run-cli.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'
import { drawnImages, tinyRun } from '../support/tiny-run.js'

jest.setTimeout(60_000) // each takes a second or two on a quiet machine

const folder = temporaryFolder()
const out = () => join(folder(), 'run')

/** An alignment loss past the range of float32: loss and gradients are infinite from the first step, the main loss is not. */
const infinite = { ...tinyModel, alignWeight: 1e300 } as const

/** A run that ends as diverged; the folder of its last captured step. */
async function diverged(options: Partial<TrainOptions>): Promise<string> {
  await expect(trainCAE(tinyRun(out(), { steps: 200, maxSkippedSteps: 1, ...options }))).rejects.toMatchObject({ exitCode: 5 })
  const captures = await readdir(join(out(), 'debug'))
  return join(out(), 'debug', captures.sort().at(-1) ?? '')
}

const kinds: [name: string, change: Partial<TrainOptions>][] = [
  ['in fp32', {}],
  ['in bf16', { precision: 'bf16' }],
  ['with accumulation and two threads', { microBatchSize: 2, threads: 2 }],
  ['with random masks and images held out', { model: { ...infinite, maskShape: 'random' }, holdout: 3 }],
  ['with a lagging target', { model: { ...infinite, targetWeights: 'lagged', targetMomentum: 0.9 } }],
]
test.each(kinds)('a captured step comes out bit for bit: %s', async (_, change) => {
  const captured = await diverged({ model: infinite, ...change })
  const { reproduced, step, recorded, replayed, samples, nonFinite } = await replay(captured, { data: drawnImages(22) })
  expect({ reproduced, step, replayed }).toEqual({ reproduced: true, step: 1, replayed: recorded })
  expect(recorded.loss).toBe(Number.POSITIVE_INFINITY)
  expect(Number.isFinite(recorded.loss_main)).toBe(true)
  const [line = ''] = (await readFile(join(out(), 'metrics.jsonl'), 'utf8')).split('\n')
  expect(JSON.parse(line).loss_main).toBe(replayed.loss_main)
  expect(samples).toHaveLength(4)
  expect(samples.every(({ index, name }) => name === `drawn-${index}`)).toBe(true)
  expect([nonFinite.weights, nonFinite.activations]).toEqual([[], []]) // the loss itself is what overflows
  expect(nonFinite.gradients.length).toBeGreaterThan(10)
})

test('a step in mid-run, whose weights a learning rate has blown up, comes out too and shows what is too large', async () => {
  const wild = { lr: 1000, minLr: 1000, warmupSteps: 0, clipNorm: 0, weightDecay: 1e6, checkpointEvery: 0 }
  const { reproduced, step, recorded, findings } = await replay(await diverged(wild), { data: drawnImages(22) })
  expect(reproduced).toBe(true)
  expect(step).toBeGreaterThan(1)
  expect([recorded.loss, recorded.grad_norm].every(Number.isFinite)).toBe(false)
  // Every step multiplies the weights by a thousand million, until something of theirs overflows.
  expect(Math.max(...findings.weights.map(({ largest }) => largest))).toBeGreaterThan(1e6)
})

test('only the first step of a row is captured, and the warning says how to do it again', async () => {
  const run = trainCAE(tinyRun(out(), { model: infinite, maxSkippedSteps: 3 }))
  const warnings: string[] = []
  const reading = (async () => {
    for await (const event of run) if (event.type === 'warning' && event.code === 'ERR_CAE_DIVERGED') warnings.push(event.message)
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_CAE_DIVERGED' })
  const captured = join(out(), 'debug/step-1')
  expect(warnings).toEqual([expect.stringContaining(`cae-torch replay ${captured}`)])
  expect(await readdir(join(out(), 'debug'))).toEqual(['step-1'])
  expect((await readdir(captured)).sort()).toEqual(['model.safetensors', 'optimizer.safetensors', 'step.json'])
})

test('refuses what is no captured step, and images that are not those of the run', async () => {
  const captured = await diverged({ model: infinite })
  await expect(replay(out())).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(/debug\/step-N/) })
  await expect(replay(captured)).rejects.toMatchObject({ code: 'ERR_CAE_OPTION', message: expect.stringMatching(/data/) })
  await expect(replay(captured, { data: drawnImages(23) })).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/it had 22, here are 23/),
  })
  const good = drawnImages(22)
  const bad = { ...good, get: (index: number) => (index % 2 ? Buffer.from('bad') : good.get(index)) }
  await expect(replay(captured, { data: bad })).rejects.toMatchObject({ code: 'ERR_CAE_DATA' })
})

test('the command line tells by its exit status whether a step came out', async () => {
  const images = join(folder(), 'images')
  await mkdir(images)
  for (let index = 0; index < 22; index++) {
    await writeFile(join(images, `${String(index).padStart(2, '0')}.png`), await encodeImage(drawImage(index, 36, 32), 'png'))
  }
  const captured = await diverged({ model: infinite, data: images })
  const good = await runCli(['replay', captured])
  expect(good).toMatchObject({ status: 0, stdout: expect.stringMatching(/reproduced +yes, bit for bit[\s\S]*gradients +not finite: /) })

  // Another picture under the same name: the batch is made of it.
  const { samples } = await replay(captured)
  await cp(join(images, samples[0]?.name.endsWith('00.png') ? '01.png' : '00.png'), samples[0]?.name ?? '')
  expect(await runCli(['replay', captured])).toMatchObject({ status: 1, stdout: expect.stringMatching(/reproduced +no/) })
  await rm(join(images, '00.png'))
  expect(await runCli(['replay', captured])).toMatchObject({ status: 3 })
  expect(await runCli(['replay', images])).toMatchObject({ status: 6 })
})
