import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { verifyCheckpoint } from '../../src/train/checkpoint.js'
import { type Ended, runProgram, trainingWorld } from '../support/run-program.js'
import { temporaryFolder } from '../support/temporary-folder.js'

jest.setTimeout(120_000) // children load libtorch, on a machine that may be busy

const folder = temporaryFolder()

/** Runs a program; whatever it did, native code must not have ended it. */
async function ending(program: string): Promise<Ended> {
  const ended = await runProgram(folder(), program)
  expect(ended).toMatchObject({ signal: null })
  return ended
}

/** The output of a program that ends well. */
async function output(program: string): Promise<string> {
  const ended = await ending(program)
  expect(ended).toMatchObject({ status: 0, stderr: '' })
  return ended.stdout
}

const last = (text: string) => JSON.parse(text.split('\n').at(-1) ?? '')

/** Every checkpoint of these runs, which were cut off, is whole; going on from them they end where a run that was left alone ends. */
async function expectIntact(...names: string[]): Promise<void> {
  for (const name of names) {
    const checkpoints = join(folder(), name, 'checkpoints')
    const written = (await readdir(checkpoints)).filter((entry) => entry.startsWith('step-'))
    expect(written.length).toBeGreaterThan(0)
    for (const entry of [...written, 'latest']) await verifyCheckpoint(join(checkpoints, entry))
  }
  const weights = last(
    await output(`
      const weights = []
      for (const name of ${JSON.stringify([...names, 'alone'])}) weights.push(await train(folder + '/' + name))
      console.log(JSON.stringify(weights))`),
  )
  expect(new Set(weights).size).toBe(1)
}

describe('disposing during a step', () => {
  const world = `
    const model = await cae.ContextAutoencoder.create(options('').model, { device: 'cpu' })
    const trainer = await cae.Trainer.create(model)
    const images = { data: new Float32Array(16 * 3 * 32 * 32).fill(0.5), shape: [16, 3, 32, 32] }`

  test('with nobody waiting for anything ends with 0', async () => {
    expect(
      await output(`${world}; trainer.step({ images }); trainer.step({ images }); trainer.dispose(); model.dispose(); console.log('done')`),
    ).toBe('done')
  })

  test('at every moment of it: the steps asked for before end, those after fail with a code', async () => {
    const told = await output(`
      const seen = new Set()
      for (let round = 0; round < 20; round++) {
        ${world}
        const steps = [trainer.step({ images }), trainer.step({ images })]
        await sleep(round / 4)
        const gone = round % 2 ? [model.dispose(), trainer.dispose()] : [trainer.dispose(), model.dispose()]
        steps.push(trainer.step({ images }))
        const ends = await Promise.allSettled(steps)
        await Promise.all(gone)
        seen.add(ends.map(({ value, reason }) => (value ? value.skipped : reason.code)).join())
      }
      console.log([...seen].join(' | '))`)
    expect(told).toBe('false,false,ERR_CAE_DISPOSED')
  })
})

describe('two runs at once in a process', () => {
  test('both end, with the weights that each has alone', async () => {
    const [alone, together] = last(
      await output(`
        const changes = [{}, { seed: 6, batchSize: 8, model: { ...options('').model, depth: 3 } }]
        const alone = []
        for (const [at, change] of changes.entries()) alone.push(await train(folder + '/alone-' + at, change))
        const together = await Promise.all(changes.map((change, at) => train(folder + '/together-' + at, change)))
        console.log(JSON.stringify([alone, together]))`),
    )
    expect(new Set(alone).size).toBe(2)
    expect(together).toEqual(alone)
  })

  test('in one folder: the second is refused with a code, and the first ends as if alone', async () => {
    const [codes, [first, alone]] = last(
      await output(`
        const first = cae.trainCAE(options(folder + '/one'))
        for await (const { type } of first) if (type === 'step') break
        const second = await cae.trainCAE({ ...options(folder + '/one'), resume: 'auto' }).catch(({ code }) => code)
        const { model } = await first
        await model.dispose()
        console.log(JSON.stringify([second, [weightsOf(folder + '/one'), await train(folder + '/alone')]]))`),
    )
    expect(codes).toBe('ERR_CAE_OUTPUT')
    expect(first).toBe(alone)
  })
})

/** `npm run soak:workers` sets it to a hundred. */
const workers = Number(process.env.CAE_SOAK_WORKERS ?? 10)

test(
  `a worker thread terminated in mid-run, ${workers} times: the process lives, and what it trains afterwards is right`,
  async () => {
    const program = `
    const { cae, options } = require(${trainingWorld})
    const { parentPort, workerData } = require('node:worker_threads')
    const run = cae.trainCAE(options(workerData, { steps: 100000 }))
    ;(async () => { for await (const { type, step } of run) if (type === 'step') parentPort.postMessage(step) })()`
    const figures = last(
      await output(`
      const alone = await train(folder + '/alone')
      const rounds = []
      for (let round = 0; round < ${workers}; round++) {
        const worker = new Worker(${JSON.stringify(program)}, { eval: true, workerData: folder + '/terminated-' + round })
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        await sleep(3 * (round % 17)) // before, in and after a checkpoint
        await worker.terminate()
        rounds.push(held())
      }
      console.log(JSON.stringify({ alone, after: await train(folder + '/after'), first: rounds[1], last: rounds.at(-1) }))`),
    )
    if (workers > 10) process.stderr.write(`${workers} workers: ${JSON.stringify(figures)}\n`)
    expect(figures.after).toBe(figures.alone)
    expect(figures.last.threads).toBeLessThanOrEqual(figures.first.threads + 2)
    // One to three were left of a hundred rounds: of files, one may guess, that were being opened when their thread was ended.
    expect(figures.last.fileDescriptors).toBeLessThanOrEqual(figures.first.fileDescriptors + Math.max(2, workers / 10))
  },
  120_000 + 10_000 * workers,
)

describe('an unhandled rejection', () => {
  test('of the run itself: the user sees what, where and what to do, and status 1', async () => {
    const { status, stderr } = await ending(`cae.trainCAE(options(folder + '/run', { data: folder + '/nowhere' }))`)
    expect(status).toBe(1)
    expect(stderr).toMatch(/nowhere[\s\S]*at: [\s\S]*try: [\s\S]*code: 'ERR_CAE_DATA'/)
  })

  test('of the user’s own program in mid-run: status 1, and the checkpoints are intact', async () => {
    const { status, stderr } = await ending(`
      const run = cae.trainCAE(options(folder + '/run'))
      for await (const event of run) if (event.type === 'step' && event.step === 8) Promise.reject(new Error('of the user'))`)
    expect(status).toBe(1)
    expect(stderr).toMatch(/Error: of the user/)
    await expectIntact('run')
  })
})

describe('process.exit in an event handler', () => {
  /** Leaves when the condition holds and a checkpoint has been completed. */
  const exitAt = (name: string, condition: string, exit = 'process.exit(7)') =>
    ending(`
      let kept = 0
      for await (const event of cae.trainCAE(options(folder + '/${name}'))) {
        if (event.type === 'checkpoint') kept++
        if (kept > 0 && ${condition}) ${exit}
      }`)

  test('of a step or a checkpoint: its status is kept, and the checkpoints are intact', async () => {
    for (const type of ['step', 'checkpoint']) {
      expect(await exitAt(type, `event.type === '${type}'`)).toMatchObject({ status: 7 })
    }
    await expectIntact('step', 'checkpoint')
  })

  test('while a checkpoint is being written', async () => {
    const names = ['a', 'b', 'c', 'd']
    let unfinished = 0
    for (const [wait, name] of names.entries()) {
      // The step's event comes just before its checkpoint is begun.
      expect(
        await exitAt(name, `event.type === 'step' && event.step % 2 === 0`, `setTimeout(() => process.exit(7), ${wait})`),
      ).toMatchObject({
        status: 7,
      })
      unfinished += (await readdir(join(folder(), name, 'checkpoints'))).filter((entry) => entry.startsWith('.')).length
    }
    expect(unfinished).toBeGreaterThan(0) // else no exit came inside a write
    await expectIntact(...names)
  })
})

describe('readers', () => {
  test('one that never reads changes nothing', async () => {
    const [unread, alone] = last(
      await output(`
        const run = cae.trainCAE(options(folder + '/unread', { figureEvery: 1 }))
        await run[Symbol.asyncIterator]().next()
        const { model } = await run
        await model.dispose()
        console.log(JSON.stringify([weightsOf(folder + '/unread'), await train(folder + '/alone', { figureEvery: 1 })]))`),
    )
    expect(unread).toBe(alone)
  })

  test('one that throws gets its error back; the run goes on to its end', async () => {
    const [said, thrown, alone] = last(
      await output(`
        const run = cae.trainCAE(options(folder + '/thrown'))
        const said = await (async () => {
          for await (const { type } of run) if (type === 'step') throw new Error('of the reader')
        })().catch(({ message }) => message)
        const { model } = await run
        await model.dispose()
        console.log(JSON.stringify([said, weightsOf(folder + '/thrown'), await train(folder + '/alone')]))`),
    )
    expect(said).toBe('of the reader')
    expect(thrown).toBe(alone)
  })

  test('one that throws where nobody catches: status 1 with its error, and the checkpoints are intact', async () => {
    const { status, stderr } = await ending(`
      for await (const event of cae.trainCAE(options(folder + '/run')))
        if (event.type === 'step' && event.step === 7) throw new Error('of the reader')`)
    expect(status).toBe(1)
    expect(stderr).toMatch(/Error: of the reader/)
    await expectIntact('run')
  })
})
