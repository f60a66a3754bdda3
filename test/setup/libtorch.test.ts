import { chmodSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CaeError } from '../../src/errors.js'
import { findLibtorch, searchLibtorch } from '../../src/setup/libtorch.js'
import { inspectLibtorch } from '../../src/setup/libtorch-folder.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { libtorchFiles, writeTree } from './fake-libtorch.js'

const temporary = temporaryFolder()

/** A world of its own: a cache folder, and a PATH on which the only Python would import a torch of this version, or none. */
function world(torchVersion?: string): { folder: string; env: Record<string, string> } {
  const folder = temporary()
  const torch = torchVersion === undefined ? null : writeTree(join(folder, 'python/torch'), libtorchFiles(torchVersion))
  const bin = join(folder, 'bin')
  writeTree(bin, { python3: `#!/bin/sh\necho '${JSON.stringify({ version: '3.12.1', torch })}'\n` })
  chmodSync(join(bin, 'python3'), 0o755)
  return { folder, env: { PATH: bin, XDG_CACHE_HOME: join(folder, 'cache') } }
}

function cached(env: Record<string, string>, version: string, made: string): string {
  const folder = join(env.XDG_CACHE_HOME ?? '', 'cae-torch/libtorch', version)
  writeTree(join(folder, 'torch'), libtorchFiles(version))
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ version, made, sources: [], libraries: { 'torch/lib/libc10.so': 256 } }))
  return folder
}

const search = (env: Record<string, string>, python = true) => searchLibtorch({ env, python })

describe('search order', () => {
  test('CAE_LIBTORCH, then LIBTORCH, then the cache, then Python', async () => {
    const { folder, env } = world('2.11.0')
    cached(env, '2.12.0', '2026-01-01')
    const first = writeTree(join(folder, 'first'), libtorchFiles('2.13.0'))
    const second = writeTree(join(folder, 'second'), libtorchFiles('2.14.0'))
    const versions: (string | undefined)[] = []
    for (const more of [{ CAE_LIBTORCH: first, LIBTORCH: second }, { LIBTORCH: second }, {}] as Record<string, string>[]) {
      versions.push((await search({ ...env, ...more })).libtorch?.version)
    }
    rmSync(join(folder, 'cache'), { recursive: true })
    versions.push((await search(env)).libtorch?.version)
    expect(versions).toEqual(['2.13.0', '2.14.0', '2.12.0', '2.11.0'])
  })

  test('LIBTORCH_USE_PYTORCH=1 puts Python first', async () => {
    const { folder, env } = world('2.11.0')
    const first = writeTree(join(folder, 'first'), libtorchFiles('2.13.0'))
    const { libtorch, candidates } = await search({ ...env, CAE_LIBTORCH: first, LIBTORCH_USE_PYTORCH: '1' })
    expect(libtorch?.version).toBe('2.11.0')
    expect(candidates.map(({ place }) => place)).toEqual(['python'])
  })

  test('without Python its torch is not looked at', async () => {
    const { env } = world('2.13.0')
    const { libtorch, candidates } = await search(env, false)
    expect(libtorch).toBeUndefined()
    expect(candidates.at(-1)).toMatchObject({ place: 'python', verdict: 'skipped' })
  })

  test('a Python torch of an unsupported version is passed over, with the reason', async () => {
    const { env } = world('2.4.1')
    const { libtorch, candidates } = await findLibtorch({ env, python: true })
    expect(libtorch).toBeUndefined()
    expect(candidates.at(-1)).toMatchObject({
      place: 'python',
      verdict: 'refused',
      reason: expect.stringMatching(/2\.4\.1.*2\.11 to 2\.14/),
    })
  })

  test('the doctor sees every place, also behind the first hit', async () => {
    const { folder, env } = world()
    const first = writeTree(join(folder, 'first'), libtorchFiles())
    const { candidates } = await searchLibtorch({ env: { ...env, CAE_LIBTORCH: first }, python: true, everywhere: true })
    expect(candidates.map(({ place, verdict }) => `${place} ${verdict}`)).toEqual([
      'CAE_LIBTORCH found',
      'LIBTORCH absent',
      'cache absent',
      'python absent',
    ])
  })
})

describe('a variable that names a wrong folder is an error, not a reason to look on', () => {
  test.each(['CAE_LIBTORCH', 'LIBTORCH'])('%s', async (variable) => {
    const { env } = world()
    cached(env, '2.13.0', '2026-01-01')
    const failure = await findLibtorch({ env: { ...env, [variable]: '/nowhere/libtorch' }, python: true }).catch((error) => error)
    expect(failure).toBeInstanceOf(CaeError)
    expect(failure.code).toBe('ERR_CAE_NO_LIBTORCH')
    expect(failure.message).toContain(`${variable}=/nowhere/libtorch`)
  })
})

describe('cache', () => {
  test('the newest set-up counts, not the highest version', async () => {
    const { env } = world()
    cached(env, '2.14.0', '2026-01-01')
    cached(env, '2.13.0', '2026-02-01')
    expect((await search(env)).libtorch?.version).toBe('2.13.0')
  })

  test('what a killed set-up left is not taken for a libtorch', async () => {
    const { env } = world()
    writeTree(join(env.XDG_CACHE_HOME ?? '', 'cae-torch/libtorch/.new-x/torch'), libtorchFiles())
    writeTree(join(env.XDG_CACHE_HOME ?? '', 'cae-torch/libtorch/2.13.0/torch'), libtorchFiles())
    const { libtorch, candidates } = await search(env)
    expect(libtorch).toBeUndefined()
    expect(candidates.find(({ place }) => place === 'cache')).toMatchObject({
      verdict: 'refused',
      reason: expect.stringContaining('manifest.json'),
    })
  })

  test('a library that changed its size since is named', async () => {
    const { env } = world()
    truncateSync(join(cached(env, '2.13.0', '2026-01-01'), 'torch/lib/libc10.so'), 100)
    const { candidates } = await search(env)
    expect(candidates.find(({ place }) => place === 'cache')?.reason).toMatch(/libc10\.so has 100 bytes, its manifest says 256/)
  })
})

describe('inspecting a folder', () => {
  const problem = async (folder: string) => {
    const inspection = await inspectLibtorch(folder)
    return inspection.libtorch === undefined ? inspection.problem : undefined
  }

  test('follows links and reads the version of a wheel, of a libtorch archive and of the header', async () => {
    const folder = temporary()
    const { 'version.py': _, ...files } = libtorchFiles()
    writeTree(join(folder, 'wheel'), libtorchFiles('2.13.0+cpu', true))
    writeTree(join(folder, 'zip'), { ...files, 'build-version': '2.12.1+cpu\n' })
    const header = ['MAJOR 2', 'MINOR 14', 'PATCH 1'].map((part) => `#define TORCH_VERSION_${part}`).join('\n')
    writeTree(join(folder, 'bare'), { ...files, 'include/torch/headeronly/version.h': header })
    symlinkSync(join(folder, 'wheel'), join(folder, 'link'))
    expect(await inspectLibtorch(join(folder, 'link'))).toEqual({
      libtorch: { folder: join(folder, 'wheel'), version: '2.13.0+cpu', cuda: true },
    })
    expect(await inspectLibtorch(join(folder, 'zip'))).toMatchObject({ libtorch: { version: '2.12.1+cpu', cuda: false } })
    expect(await inspectLibtorch(join(folder, 'bare'))).toMatchObject({ libtorch: { version: '2.14.1' } })
  })

  test('says what is wrong: no folder, a file, another folder, an old version', async () => {
    const folder = writeTree(temporary(), { file: 'x' })
    mkdirSync(join(folder, 'empty'))
    expect(await problem(join(folder, 'none'))).toMatch(/no such folder/)
    expect(await problem(join(folder, 'file'))).toMatch(/is a file/)
    expect(await problem(join(folder, 'empty'))).toMatch(/not a libtorch folder/)
    expect(await problem(writeTree(join(folder, 'old'), libtorchFiles('2.3.0')))).toMatch(/2\.3\.0.*supported/)
  })

  test('sees a half-downloaded libtorch: a missing, an empty and a truncated library', async () => {
    const folder = writeTree(temporary(), libtorchFiles())
    const library = join(folder, 'lib/libtorch_cpu.so')
    truncateSync(library, 200)
    expect(await problem(folder)).toMatch(/libtorch_cpu\.so is cut short: 200 bytes where at least 256 belong/)
    truncateSync(library, 0)
    expect(await problem(folder)).toMatch(/libtorch_cpu\.so is not a shared library/)
    rmSync(library)
    expect(await problem(folder)).toMatch(/libtorch_cpu\.so is missing/)
  })
})
