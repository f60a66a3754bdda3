import { readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { TensorBoardWriter, tensorBoardListener } from '../../src/report/tensorboard.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { type EventRecord, readEvents } from './read-event-file.js'
import { endEvent, startEvent, stepEvent } from './run-events.js'

const folder = temporaryFolder()
/** 2 x 1 pixels, RGB. */
const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGP4z8DAwMAAAAYGAQGAXrpPAAAAAElFTkSuQmCC', 'base64')
const longTag = 'a long tag '.repeat(20) // its length takes two bytes
const now = (): number => 1_700_000_000_500

async function allEvents(): Promise<EventRecord[][]> {
  const names = await folder.list()
  return Promise.all(names.map(async (name) => readEvents(await readFile(join(folder(), name)))))
}

test('the first record names the version, the file the time, host and process', async () => {
  await using writer = await TensorBoardWriter.create(folder(), { now })
  await writer.close()
  expect(await folder.list()).toEqual([`events.out.tfevents.1700000000.${hostname()}.${process.pid}.0`])
  expect(await allEvents()).toEqual([[{ wallTime: 1_700_000_000.5, step: 0, fileVersion: 'brain.Event:2', scalars: {}, images: {} }]])
})

test('each writer has a file of its own, and makes the folder', async () => {
  const inside = join(folder(), 'a', 'b')
  for (const n of [0, 1, 2]) {
    const writer = await TensorBoardWriter.create(inside, { now })
    await writer.close()
    await expect(readFile(join(inside, `events.out.tfevents.1700000000.${hostname()}.${process.pid}.${n}`))).resolves.toHaveLength(40)
  }
})

test('scalars come back with tag, step and value', async () => {
  await using writer = await TensorBoardWriter.create(folder(), { now })
  writer.scalars(1, { 'train/loss': 0.5, 'train/lr': -(2 ** -20) })
  writer.scalars(2 ** 40 + 3, { 'train/loss': Number.NaN, [longTag]: Number.POSITIVE_INFINITY })
  await writer.close()
  const [[, first, second] = []] = await allEvents()
  expect(first).toMatchObject({ step: 1, wallTime: 1_700_000_000.5, scalars: { 'train/loss': 0.5, 'train/lr': -(2 ** -20) } })
  expect(second).toMatchObject({
    step: 2 ** 40 + 3,
    scalars: { 'train/loss': Number.NaN, [longTag]: Number.POSITIVE_INFINITY },
  })
})

test('a picture comes back as it was, with its size', async () => {
  await using writer = await TensorBoardWriter.create(folder(), { now })
  writer.image(7, 'reconstruction', png)
  await writer.close()
  const [[, event] = []] = await allEvents()
  expect(event).toMatchObject({ step: 7, images: { reconstruction: { width: 2, height: 1, channels: 3, png } } })
})

test('what is no picture is refused', async () => {
  await using writer = await TensorBoardWriter.create(folder(), { now })
  expect(() => writer.image(1, 'x', Buffer.from('GIF89a'))).toThrow(expect.objectContaining({ code: 'ERR_CAE_INTERNAL' }))
})

test('a folder that cannot be made is a coded error that names it', async () => {
  await writeFile(join(folder(), 'file'), '')
  await expect(TensorBoardWriter.create(join(folder(), 'file', 'x'))).rejects.toMatchObject({
    code: 'ERR_CAE_OUTPUT',
    message: expect.stringContaining(join('file', 'x')),
  })
})

describe('as a listener of a run', () => {
  test('every step gives its metrics, rate and speeds, every figure a picture', async () => {
    const listener = tensorBoardListener(folder(), { now })
    await listener.onEvent(startEvent())
    await listener.onEvent(stepEvent(1))
    await listener.onEvent(stepEvent(2, { metrics: { loss: 3, mlm_acc: 0.5 } }))
    await listener.onEvent({ type: 'figure', step: 2, name: 'reconstruction', path: 'unread.png', png })
    await listener.onEvent(endEvent())
    await listener.close?.()
    const [[, first, second, figure, ...rest] = []] = await allEvents()
    expect(first?.scalars).toEqual({
      'train/loss': 1,
      'train/loss_main': 0.75,
      'train/loss_align': 0.25,
      'train/grad_norm': 2,
      'train/lr': Math.fround(0.001),
      'train/weight_decay': Math.fround(0.05),
      'speed/images_per_second': 250,
      'speed/data_wait': 0.125,
    })
    expect(second?.scalars).toMatchObject({ 'train/loss': 3, 'train/mlm_acc': 0.5 })
    expect(figure?.images).toHaveProperty('reconstruction')
    expect(rest).toEqual([])
  })

  test('points are on disk after five seconds, and at once when something else than a step happens', async () => {
    let time = now()
    const listener = tensorBoardListener(folder(), { now: () => time })
    const written = async (): Promise<number | undefined> => (await allEvents())[0]?.length
    await listener.onEvent(startEvent())
    await listener.onEvent(stepEvent(1))
    expect(await written()).toBe(1)
    time += 5000
    await listener.onEvent(stepEvent(2))
    expect(await written()).toBe(3)
    await listener.onEvent(stepEvent(3))
    await listener.onEvent({ type: 'epoch', epoch: 1, metrics: {}, seconds: 1 })
    expect(await written()).toBe(4)
    await listener.close?.()
  })

  test('a resumed run voids what an earlier process wrote after its last checkpoint', async () => {
    const listener = tensorBoardListener(folder(), { now })
    await listener.onEvent(startEvent({ startStep: 40 }))
    await listener.close?.()
    expect((await allEvents())[0]?.[1]).toMatchObject({ step: 41, sessionStatus: 1 })
  })

  test('a run that never starts leaves no file', async () => {
    const listener = tensorBoardListener(folder())
    await listener.close?.()
    expect(await folder.list()).toEqual([])
  })
})
