import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { loadAddon } from '../../src/native/load.js'
import { libtorchFiles, writeTree } from '../setup/fake-libtorch.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const temporary = temporaryFolder()

const root = join(__dirname, '../..')
const lib = (file: string) => JSON.stringify(join(root, 'lib', file))

/** Runs a program in a Node of its own, on the built package; what it printed. */
async function node(program: string, env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { env: { ...process.env, ...env } })
  return stdout.trim()
}

describe('loading the addon', () => {
  test('gives one addon a process', async () => {
    const [first, second] = await Promise.all([loadAddon(), loadAddon()])
    expect(first).toBe(second)
    expect(first.version().libtorch).toMatch(/^2\.1[1-4]\./)
  })

  test('errors of native functions are CaeErrors, thrown or rejected', async () => {
    const addon = await loadAddon()
    expect(() => addon.modelTensors({} as never)).toThrow(expect.objectContaining({ name: 'CaeError', code: 'ERR_CAE_INTERNAL' }))
    const rejected = addon.createModel({ method: 'none' }, 0, 'cpu')
    await expect(rejected).rejects.toMatchObject({ name: 'CaeError', code: expect.stringMatching(/^ERR_CAE_/), cause: expect.anything() })
  })

  test('a CAE_LIBTORCH that points nowhere is named, with the way out', async () => {
    const program = `require(${lib('native/load.js')}).loadAddon().catch((e) => console.log(e.code, e.message))`
    const said = await node(program, { CAE_LIBTORCH: '/nowhere/libtorch' })
    expect(said).toMatch(/^ERR_CAE_NO_LIBTORCH CAE_LIBTORCH=\/nowhere\/libtorch/)
    expect(said).toMatch(/try: point CAE_LIBTORCH/)
  })

  test('a libtorch of another minor version is refused before it is opened, with both numbers', async () => {
    const torch = writeTree(join(temporary(), 'torch'), libtorchFiles('2.11.0'))
    const program = `require(${lib('native/load.js')}).loadAddon().catch((e) => console.log(e.code, e.message))`
    const said = await node(program, { CAE_LIBTORCH: torch })
    expect(said).toMatch(/^ERR_CAE_NO_LIBTORCH/)
    expect(said).toMatch(/built for libtorch 2\.1[1-4]\.\d.*not for CAE_LIBTORCH=.*\(2\.11\.0\)/)
    expect(said).toMatch(/try: npm run build/)
  })

  test('the package can be imported where there is no libtorch', async () => {
    const env = { CAE_LIBTORCH: '/nowhere/libtorch' }
    expect(await node(`console.log(typeof require(${lib('index.js')}).trainCAE)`, env)).toBe('function')
    const esm = `import(${lib('index.mjs')}).then((m) => console.log(typeof m.trainCAE))`
    expect(await node(esm, env)).toBe('function')
  })

  test('importing the package loads files of its own alone: what it stands on comes with the first use', async () => {
    const names = `console.log(Object.keys(require('node:module')._cache).filter((file) => file.includes('node_modules')).join())`
    expect(await node(`import(${lib('index.mjs')}).then(() => ${names})`)).toBe('')
  })

  test('two workers load it at once, each for itself, and the process ends', async () => {
    const worker = `require(${lib('native/load.js')}).loadAddon().then((a) => require('node:worker_threads').parentPort.postMessage(a.version().libtorch))`
    const program = `
      const { Worker } = require('node:worker_threads')
      const run = () => new Promise((resolve, reject) => {
        const worker = new Worker(${JSON.stringify(worker)}, { eval: true })
        let answer
        worker.on('message', (value) => { answer = value })
        worker.on('error', reject)
        worker.on('exit', (status) => resolve(answer + ' ' + status))
      })
      Promise.all([run(), run()]).then((answers) => console.log(answers.join()))`
    expect(await node(program)).toMatch(/^2\.\d+\.\S+ 0,2\.\d+\.\S+ 0$/)
  })
})
