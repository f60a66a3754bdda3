import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'

import type { TrainEvent } from '../../src/train/events.js'
import { TrainRun } from '../../src/train/run.js'

const step = (at: number): TrainEvent => ({
  type: 'step',
  step: at,
  steps: 1000,
  epoch: 0,
  metrics: { loss: 1 },
  lr: 0,
  weightDecay: 0,
  skipped: false,
  imagesPerSecond: 1,
  dataWaitShare: 0,
  etaSeconds: 0,
})
const warning = (message: string): TrainEvent => ({ type: 'warning', code: 'NOTE', message })
const label = (event: TrainEvent) => (event.type === 'step' ? event.step : event.type === 'warning' ? event.message : event.type)

async function read(run: AsyncIterable<TrainEvent>, into: unknown[] = []): Promise<unknown[]> {
  for await (const event of run) into.push(label(event))
  return into
}

test('is a promise of the result, with or without readers', async () => {
  const run = new TrainRun(async (emit) => {
    emit(warning('a'))
    return 7
  })
  expect(await run).toBe(7)
  expect(await run.finally(() => undefined)).toBe(7)
  expect(await read(run)).toEqual(['a'])
})

test('does no work before the caller has had its turn', () => {
  let started = false
  const run = new TrainRun(async () => {
    started = true
  })
  expect(started).toBe(false)
  return run.then(() => expect(started).toBe(true))
})

test('a reader that keeps up sees every event in order', async () => {
  const run = new TrainRun(async (emit) => {
    for (let at = 1; at <= 5; at++) {
      emit(step(at))
      await turn()
    }
    emit(warning('last'))
  })
  expect(await read(run)).toEqual([1, 2, 3, 4, 5, 'last'])
})

test('a slow reader sees the newest step only, and everything else', async () => {
  const run = new TrainRun(async (emit) => {
    for (let at = 1; at <= 100; at++) {
      emit(step(at))
      if (at % 40 === 0) emit(warning(`w${at}`))
    }
  })
  await run
  expect(await read(run)).toEqual(['w40', 'w80', 100])
})

test('an absent reader costs a bounded amount of memory', async () => {
  const run = new TrainRun(async (emit) => {
    for (let at = 0; at < 5000; at++) emit(warning(`${at}`))
  })
  await run
  const seen = await read(run)
  expect(seen).toHaveLength(1000)
  expect(seen.at(-1)).toBe('4999')
})

test('of pictures that nobody reads the newest of each name is kept: they hold whole files', async () => {
  const figure = (name: string, at: number): TrainEvent => ({ type: 'figure', step: at, name, path: '', png: new Uint8Array(2 ** 20) })
  const run = new TrainRun(async (emit) => {
    for (let at = 1; at <= 500; at++) emit(figure('reconstruction', at))
    emit(figure('loss', 500))
  })
  await run
  const seen: unknown[] = []
  for await (const event of run) if (event.type === 'figure') seen.push([event.name, event.step])
  expect(seen).toEqual([
    ['reconstruction', 500],
    ['loss', 500],
  ])
})

test('two readers at once each see all; one that comes later sees the rest', async () => {
  let go: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  const run = new TrainRun(async (emit) => {
    emit(warning('a'))
    await gate
    emit(warning('b'))
  })
  const first: unknown[] = []
  const reading = read(run, first)
  await turn()
  expect(first).toEqual(['a'])
  const second = read(run)
  go()
  expect(await reading).toEqual(['a', 'b'])
  expect(await second).toEqual(['b'])
  expect(await read(run)).toEqual([])
})

test('leaving the loop early neither stops the run nor keeps events for nobody', async () => {
  const run = new TrainRun(async (emit) => {
    emit(warning('a'))
    await turn()
    emit(warning('b'))
    return 'done'
  })
  for await (const _ of run) break
  expect(await run).toBe('done')
  expect(await read(run)).toEqual([])
})

describe('a failing run', () => {
  const failing = () =>
    new TrainRun<void>(async (emit) => {
      emit(warning('a'))
      await turn()
      throw new Error('no more')
    })
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  beforeEach(() => {
    unhandled.length = 0
    process.on('unhandledRejection', note)
  })
  afterEach(() => process.off('unhandledRejection', note))

  test('throws to whoever awaits it', async () => {
    await expect(failing()).rejects.toThrow('no more')
    await turn()
    expect(unhandled).toEqual([])
  })

  test('throws to whoever iterates, after the events, and is handled then', async () => {
    const seen: unknown[] = []
    await expect(read(failing(), seen)).rejects.toThrow('no more')
    expect(seen).toEqual(['a'])
    await turn()
    expect(unhandled).toEqual([])
  })

  test('throws to both when both are there', async () => {
    const run = failing()
    const outcomes = await Promise.allSettled([read(run), run])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await turn()
    expect(unhandled).toEqual([])
  })
})

test('a run that fails with nobody there is an unhandled rejection, once', async () => {
  // In a process of its own: Jest hears the event before we can.
  const { spawn } = await import('node:child_process')
  const script = `
    const ts = require('@swc/core'), fs = require('node:fs'), Module = require('node:module')
    require.extensions['.ts'] = (m, f) => m._compile(ts.transformSync(fs.readFileSync(f, 'utf8'),
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } }).code, f)
    const resolve = Module._resolveFilename
    Module._resolveFilename = (name, ...rest) => resolve.call(Module, name.startsWith('.') ? name.replace(/\\.js$/, '') : name, ...rest)
    const { TrainRun } = require('./src/train/run.ts')
    let heard = 0
    process.on('unhandledRejection', () => heard++)
    new TrainRun(async () => { throw new Error('no more') })
    setTimeout(() => process.exit(10 + heard), 20)`
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
  expect(await once(child, 'exit')).toEqual([11, null])
})
