// Makes the platform package with a prebuilt addon: for this system, any CPU of a common level, and the minor version of the CPU libtorch that
// set-up finds or fetches. `setup` of whoever has installed it compiles nothing. Ends with the folder to publish.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { arch, env, platform } from 'node:process'

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const { addonFile, recordFile, sourceHash } = require('../lib/setup/addon-record.js')
const { buildAddon } = require('../lib/setup/build-addon.js')
const { fetchCpuLibtorch } = require('../lib/setup/fetch-libtorch.js')
const { findLibtorch } = require('../lib/setup/libtorch.js')
const { prebuiltPackage, portableMarch } = require('../lib/setup/prebuilt-addon.js')

const { version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const log = (line) => console.log(line)

async function main() {
  const found = await findLibtorch({ env, python: true })
  const libtorch = found.libtorch?.cuda === false ? found.libtorch : await fetchCpuLibtorch({ env, log })
  const name = prebuiltPackage(libtorch.version)
  const built = await buildAddon(join(root, 'build/portable'), { root, libtorch, env, log, portable: true })

  const folder = join(root, 'build/prebuilds', name)
  const binaries = join(folder, 'prebuilds', `${platform}-${arch}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(binaries, { recursive: true })
  copyFileSync(built.path, join(binaries, addonFile))
  const record = JSON.parse(readFileSync(join(dirname(built.path), recordFile), 'utf8'))
  // Where libtorch lay on this machine, and this CPU, mean nothing to another.
  writeJson(join(binaries, recordFile), { ...record, libtorch: '', cpuFlags: '', sources: await sourceHash(root) })
  writeJson(join(folder, 'package.json'), {
    name,
    version,
    description: `Addon of @cae/torch for libtorch ${libtorch.version.split('.').slice(0, 2).join('.')} on ${platform}-${arch}`,
    license,
    os: [platform],
    cpu: [arch],
    ...(platform === 'linux' ? { libc: ['glibc'] } : {}),
    files: ['prebuilds'],
  })
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  console.log(`${relative('', folder)}: ${name}@${version}, for ${portableMarch || arch}`)
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
