// Builds the addon into build/native, getting libtorch first where there is none. Does nothing, within a second, when nothing has changed.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildLib } from './build-lib.mjs'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'build/native')
const stamp = join(folder, '.stamp')
const require = createRequire(import.meta.url)

/** What decides whether the addon is up to date: sources, build files and the variables that choose a libtorch. */
function sourceState() {
  const native = readdirSync(join(root, 'native'), { recursive: true, withFileTypes: true })
  const files = native.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const hash = createHash('sha256')
  for (const file of [...files, join(root, 'CMakeLists.txt'), join(root, 'package-lock.json')].sort()) {
    const { mtimeMs, size } = statSync(file)
    hash.update(`${file} ${size} ${mtimeMs}\n`)
  }
  for (const name of ['CAE_LIBTORCH', 'LIBTORCH', 'LIBTORCH_USE_PYTORCH']) hash.update(`${name}=${process.env[name] ?? ''}\n`)
  return hash.digest('hex')
}

/** The libtorch of the last build, if it can still be used and nobody asks for another: keeps incremental builds incremental. */
async function keptLibtorch() {
  const { addonIn } = require('../lib/setup/addon-record.js')
  const { inspectLibtorch } = require('../lib/setup/libtorch-folder.js')
  const { isSameAbi } = require('../lib/setup/abi.js')
  const { cpuInstructionSets, missingInstructionSets } = require('../lib/setup/cpu.js')
  if (process.env.CAE_LIBTORCH || process.env.LIBTORCH || process.env.LIBTORCH_USE_PYTORCH) return undefined
  const addon = await addonIn(folder)
  if (addon === undefined) return undefined
  const { libtorch } = await inspectLibtorch(addon.record.libtorch)
  if (libtorch === undefined || !isSameAbi(libtorch.version, addon.record.libtorchVersion)) return undefined
  return missingInstructionSets(addon.record.instructionSets, await cpuInstructionSets()).length === 0 ? libtorch : undefined
}

/** Brings build/native up to date; true when there was something to do. lib/ must be built. */
export async function buildNative(log) {
  const state = sourceState()
  const kept = await keptLibtorch()
  if (kept !== undefined && existsSync(stamp) && readFileSync(stamp, 'utf8') === state) return false
  const { runSetup } = require('../lib/setup/setup.js')
  const env = kept === undefined ? process.env : { ...process.env, CAE_LIBTORCH: kept.folder }
  await runSetup({ env, log })
  writeFileSync(stamp, state)
  return true
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = Date.now()
  try {
    buildLib()
    const isNew = await buildNative((line) => console.log(line))
    console.log(isNew ? `addon built in ${((Date.now() - started) / 1000).toFixed(1)} s` : 'addon is up to date')
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
