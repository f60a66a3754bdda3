import { symlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { addonProblem } from '../../src/setup/addon-check.js'
import { addonIn, sourceHash } from '../../src/setup/addon-record.js'
import { chooseAddon } from '../../src/setup/choose-addon.js'
import { prebuiltAddon, prebuiltPackage } from '../../src/setup/prebuilt-addon.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { libtorchFiles, writeTree } from './fake-libtorch.js'

const temporary = temporaryFolder()

/** An installed package with its native sources, and an environment whose cache is empty. */
function world(): { root: string; env: Record<string, string>; cache: string } {
  const root = writeTree(join(temporary(), 'node_modules/@cae/torch'), { 'native/a.cpp': 'int a;', 'CMakeLists.txt': 'project(x)' })
  const env = { XDG_CACHE_HOME: join(temporary(), 'cache') }
  return { root, env, cache: join(env.XDG_CACHE_HOME, 'cae-torch/addon') }
}

/** Puts an addon, as `setup` would, into a folder. */
function writeAddon(folder: string, record: Record<string, unknown>, minutesAgo = 0): void {
  const defaults = { libtorch: '/opt/libtorch', libtorchVersion: '2.13.0', march: 'native', cpuFlags: 'sse2' }
  writeTree(folder, { 'cae_torch.node': '', 'addon.json': JSON.stringify({ ...defaults, ...record }) })
  const time = new Date(Date.now() - 60_000 * minutesAgo)
  utimesSync(join(folder, 'addon.json'), time, time)
}

describe('choosing an addon', () => {
  test('an installed package takes the newest of the cache that was built from its own sources', async () => {
    const { root, env, cache } = world()
    const sources = await sourceHash(root)
    writeAddon(join(cache, 'other'), { sources: 'of another version' })
    writeAddon(join(cache, 'older'), { sources }, 10)
    writeAddon(join(cache, 'newer'), { sources }, 5)
    expect((await chooseAddon(env, root)).addon?.path).toBe(join(cache, 'newer/cae_torch.node'))
  })

  test('an unfinished one does not count, and the causes say where it was looked for', async () => {
    const { root, env, cache } = world()
    writeTree(join(cache, 'half'), { 'addon.json': '{}' })
    const { addon, causes } = await chooseAddon(env, root)
    expect(addon).toBeUndefined()
    expect(causes.join()).toContain(cache)
  })

  test('CAE_LIBTORCH wants the addon that was built for it, by whatever path', async () => {
    const { root, env, cache } = world()
    const sources = await sourceHash(root)
    const wanted = writeTree(join(temporary(), 'wanted'), libtorchFiles())
    symlinkSync(wanted, join(temporary(), 'link'))
    writeAddon(join(cache, 'newer'), { sources })
    writeAddon(join(cache, 'fitting'), { sources, libtorch: wanted }, 10)
    const { addon } = await chooseAddon({ ...env, CAE_LIBTORCH: join(temporary(), 'link') }, root)
    expect(addon?.path).toBe(join(cache, 'fitting/cae_torch.node'))
    const none = await chooseAddon({ ...env, CAE_LIBTORCH: '/another' }, root)
    expect(none.addon).toBeUndefined()
    expect(none.causes.join()).toContain('CAE_LIBTORCH=/another')
  })

  test('a checkout takes its own build, not the cache', async () => {
    const { root, env, cache } = world()
    writeTree(root, { 'scripts/build.mjs': '' })
    writeAddon(join(cache, 'newer'), { sources: await sourceHash(root) })
    expect((await chooseAddon(env, root)).causes.join()).toContain('no finished build')
    writeAddon(join(root, 'build/native'), {})
    expect((await chooseAddon(env, root)).addon?.path).toBe(join(root, 'build/native/cae_torch.node'))
  })

  test('the hash of the sources changes with any of them', async () => {
    const { root } = world()
    const before = await sourceHash(root)
    writeTree(root, { 'native/a.cpp': 'int b;' })
    expect(await sourceHash(root)).not.toBe(before)
  })
})

describe('a prebuilt addon', () => {
  const libtorch = { folder: '/opt/libtorch', version: '2.13.0+cpu', cuda: false }

  /** An installed package beside the platform package that `npm run prebuild` makes. */
  async function install(record: Record<string, unknown> = {}) {
    const { root } = world()
    const sources = await sourceHash(root)
    const platform = join(temporary(), 'node_modules', prebuiltPackage(libtorch.version))
    writeTree(platform, { 'package.json': '{}' })
    writeAddon(join(platform, 'prebuilds', `${process.platform}-${process.arch}`), { march: 'x86-64', sources, ...record })
    writeTree(root, { 'package.json': '{}' })
    return { root, sources, path: join(platform, 'prebuilds', `${process.platform}-${process.arch}`, 'cae_torch.node') }
  }

  test('is taken for the same sources, minor version and a CPU that can run it', async () => {
    const { root, sources, path } = await install()
    expect((await prebuiltAddon(root, libtorch, sources))?.path).toBe(path)
    expect(await prebuiltAddon(root, libtorch, 'other sources')).toBeUndefined()
    expect(await prebuiltAddon(root, { ...libtorch, version: '2.14.0' }, sources)).toBeUndefined()
    expect(await prebuiltAddon(root, { ...libtorch, cuda: true }, sources)).toBeUndefined()
  })

  test('is passed over when it is of another minor version than its package says, or for another CPU', async () => {
    for (const record of [{ libtorchVersion: '2.12.0' }, { march: 'native', cpuFlags: 'avx1024' }]) {
      const { root, sources } = await install(record)
      expect(await prebuiltAddon(root, libtorch, sources)).toBeUndefined()
    }
  })
})

describe('an addon is refused before it is opened', () => {
  const problemOf = async (record: Record<string, unknown>) => {
    writeAddon(join(temporary(), 'addon'), record)
    const addon = await addonIn(join(temporary(), 'addon'))
    return addon && addonProblem(addon.record)
  }

  test('when libtorch now has another minor version: both numbers are named', async () => {
    const libtorch = writeTree(join(temporary(), 'torch'), libtorchFiles('2.14.1+cpu'))
    expect(await problemOf({ libtorch, libtorchVersion: '2.13.0' })).toMatch(/2\.13\.0.*2\.14\.1/)
  })

  test('when its libtorch has gone or is half there', async () => {
    expect(await problemOf({ libtorch: '/gone' })).toMatch(/\/gone.*no such folder/)
    const libtorch = writeTree(join(temporary(), 'torch'), { ...libtorchFiles(), 'lib/libtorch_cpu.so': 'half' })
    expect(await problemOf({ libtorch })).toMatch(/libtorch_cpu\.so/)
  })

  test('when it was built for a CPU that can do more than this one', async () => {
    const libtorch = writeTree(join(temporary(), 'torch'), libtorchFiles())
    expect(await problemOf({ libtorch, cpuFlags: 'sse2 avx1024' })).toMatch(/avx1024/)
    expect(await problemOf({ libtorch, cpuFlags: 'sse2 avx1024', march: 'x86-64-v2' })).toBeUndefined()
  })
})
