// Compiles and links the addon against the CUDA libtorch on a machine that may have no GPU, loads it as far as such a machine can, and prints
// what worked. Everything lies in a cache folder outside the repository (about 4 GB) and is kept for the next time.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { buildLib } from './build-lib.mjs'

buildLib()
const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const { pinnedCudaVersion } = require('../lib/setup/abi.js')
const { tryAddon } = require('../lib/setup/addon-check.js')
const { buildAddon } = require('../lib/setup/build-addon.js')
const { cacheFolder } = require('../lib/setup/cache-folder.js')
const { fetchCudaLibtorch } = require('../lib/setup/fetch-libtorch.js')
const { searchLibtorch } = require('../lib/setup/libtorch.js')

/** A cache of its own: the CPU libtorch of ordinary work must not give way to this one. */
const env = {
  ...process.env,
  XDG_CACHE_HOME: join(cacheFolder(process.env), 'check-cuda'),
  CAE_LIBTORCH: '',
  LIBTORCH: '',
  LIBTORCH_USE_PYTORCH: '',
}

/** Runs in a Node of its own: trains a tiny model for a step on the CPU with the CUDA build, then asks for a GPU. */
const trial = `
const { resolveModel, nativeModelConfig } = require(${JSON.stringify(join(root, 'lib/methods/resolve.js'))})
const addon = { exports: {} }
process.dlopen(addon, process.argv[1])
const { createModel, createBatch, createTrainer, step } = addon.exports
const config = nativeModelConfig(resolveModel('cae-nano'), 'cae')
const images = { data: new Uint8Array(3 * 64 * 64).fill(9), shape: [1, 3, 64, 64] }
const mask = { data: Uint8Array.from({ length: 64 }, (_, i) => i % 2), shape: [1, 64] }
async function train(device) {
  const trainer = await createTrainer(await createModel(config, 1, device), { precision: 'fp32', beta1: 0.9, beta2: 0.98, eps: 1e-8 })
  const hyper = { step: 0, lr: 1e-3, weightDecay: 0, clipNorm: 0, seed: 1, firstPosition: 0, schedule: {} }
  return (await step(trainer, [await createBatch(images, mask, undefined)], hyper)).values.loss.toFixed(4)
}
async function main() {
  console.log('a step on the CPU with the CUDA build: loss ' + (await train('cpu')))
  try {
    console.log('a step on the GPU: loss ' + (await train('cuda')))
  } catch (error) {
    if (error.code !== 'ERR_CAE_DEVICE') throw error
    console.log('device cuda: ' + error.code + ': ' + error.message)
  }
}
main()
`

function report(what, isGood, detail = '') {
  console.log(`${isGood ? 'ok  ' : 'FAIL'} ${what}${detail === '' ? '' : `: ${detail}`}`)
  if (!isGood) process.exitCode = 1
}

try {
  const log = (line) => console.log(`     ${line}`)
  const found = (await searchLibtorch({ env, python: false })).libtorch
  const libtorch = found ?? (await fetchCudaLibtorch({ env, log }))
  report(
    `CUDA libtorch ${pinnedCudaVersion}`,
    libtorch.cuda && libtorch.version.startsWith(pinnedCudaVersion),
    `${libtorch.version} in ${libtorch.folder}`,
  )

  const started = Date.now()
  const addon = await buildAddon(join(cacheFolder(env), 'build'), { root, libtorch, env, log })
  report('compiled and linked', true, `${addon.path} (${((Date.now() - started) / 1000).toFixed(0)} s)`)

  const needed = spawnSync('readelf', ['-d', addon.path], { encoding: 'utf8' }).stdout ?? ''
  const cuda = [...needed.matchAll(/\[(lib(?:torch|c10)_cuda\.so)\]/g)].map(([, name]) => name)
  report('links the CUDA libraries', cuda.length === 2, cuda.join(', '))

  const tried = await tryAddon(addon, env)
  report('opens', tried.problem === undefined, tried.problem ?? `libtorch ${tried.libtorch}, ${tried.cudaDevices} CUDA devices`)
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', trial, addon.path], { encoding: 'utf8' })
  report('runs', status === 0, stdout.trim().replaceAll('\n', '; ') || stderr.trim())
  if (tried.cudaDevices === 0) console.log('     no GPU here: nothing has run on one (npm run test:gpu does that)')
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
