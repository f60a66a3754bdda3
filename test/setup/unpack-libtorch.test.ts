import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CaeError } from '../../src/errors.js'
import { takeLibtorch } from '../../src/setup/fetch-libtorch.js'
import { searchLibtorch } from '../../src/setup/libtorch.js'
import { keptPath, unpackLibtorch } from '../../src/setup/unpack-libtorch.js'
import { extractEntry, listZip } from '../../src/setup/unzip.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { elf, libtorchFiles, writeTree } from './fake-libtorch.js'
import { makeZip } from './make-zip.js'

const temporary = temporaryFolder()
const env = () => ({ XDG_CACHE_HOME: join(temporary(), 'cache'), PATH: '' })
const silent = () => {}

function under(folder: string, files: Readonly<Record<string, Buffer>>): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [`${folder}/${path}`, content]))
}

/** Writes an archive and returns its path. */
function archive(name: string, content: Buffer): string {
  const path = join(temporary(), name)
  writeFileSync(path, content)
  return path
}

const wheel = () =>
  makeZip({ ...under('torch', libtorchFiles()), 'torch/nn/functional.py': Buffer.from('pass'), 'torch/bin/protoc': elf() })

/** Names left in the cache of libtorch. */
const cached = () => readdirSync(join(env().XDG_CACHE_HOME, 'cae-torch/libtorch'))

async function failure(promise: Promise<unknown>): Promise<CaeError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(CaeError)
  return error
}

describe('unpacking into the cache', () => {
  test('keeps libraries, headers and CMake files of a wheel, and is found from then on', async () => {
    const libtorch = await unpackLibtorch([archive('torch-2.13.0.whl', wheel())], env(), silent)
    expect(libtorch).toEqual({
      folder: join(env().XDG_CACHE_HOME, 'cae-torch/libtorch/2.13.0+cpu/torch'),
      version: '2.13.0+cpu',
      cuda: false,
    })
    expect(existsSync(join(libtorch.folder, 'nn'))).toBe(false)
    expect((await searchLibtorch({ env: env(), python: false })).libtorch).toEqual(libtorch)
    const manifest = JSON.parse(readFileSync(join(libtorch.folder, '../manifest.json'), 'utf8'))
    expect(manifest.sources[0].sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(manifest.libraries['torch/lib/libtorch_cpu.so']).toBe(256)
    expect(cached()).toEqual(['2.13.0+cpu'])
  })

  test('takes a libtorch zip, and a libtorch folder', async () => {
    const { 'version.py': _, ...files } = libtorchFiles()
    const zip = archive('libtorch.zip', makeZip(under('libtorch', { ...files, 'build-version': Buffer.from('2.14.0+cpu\n') })))
    expect((await takeLibtorch(zip, { env: env(), log: silent })).version).toBe('2.14.0+cpu')
    const folder = writeTree(join(temporary(), 'own'), libtorchFiles('2.12.0'))
    expect((await takeLibtorch(folder, { env: env(), log: silent })).version).toBe('2.12.0')
    expect(cached()).toEqual(['2.12.0', '2.14.0+cpu'])
  })

  test('puts the libraries of nvidia wheels where a CUDA torch looks for them', async () => {
    const folder = writeTree(join(temporary(), 'wheels'), {
      'torch-2.14.1.whl': makeZip(under('torch', libtorchFiles('2.14.1+cu130', true))),
      'nvidia_nccl_cu13-2.30.whl': makeZip({ 'nvidia/nccl/lib/libnccl.so.2': elf(), 'nvidia/nccl/include/nccl.h': Buffer.from('') }),
    })
    const libtorch = await takeLibtorch(folder, { env: env(), log: silent })
    expect(libtorch.cuda).toBe(true)
    expect(existsSync(join(libtorch.folder, '../nvidia/nccl/lib/libnccl.so.2'))).toBe(true)
    expect(existsSync(join(libtorch.folder, '../nvidia/nccl/include'))).toBe(false)
  })

  test('leaves nothing behind after a truncated, a damaged or a foreign archive', async () => {
    const whole = wheel()
    const damaged = Buffer.from(whole)
    damaged.fill(0xff, 50, 60)
    const cases: [string, Buffer, RegExp][] = [
      ['cut.whl', whole.subarray(0, whole.length - 100), /no zip directory/],
      ['damaged.whl', damaged, /damaged|checksum/],
      ['numpy.whl', makeZip({ 'numpy/__init__.py': Buffer.from('') }), /holds no libtorch/],
      ['old.whl', makeZip(under('torch', libtorchFiles('2.2.0'))), /2\.2\.0; supported/],
    ]
    for (const [name, content, message] of cases) {
      const error = await failure(unpackLibtorch([archive(name, content)], env(), silent))
      expect(error.code).toBe('ERR_CAE_SETUP')
      expect(error.message).toMatch(message)
      expect(error.message).toContain(name)
      expect(cached()).toEqual([])
    }
  })

  test('two set-ups at once both end with the same whole folder', async () => {
    const path = archive('torch.whl', wheel())
    const both = await Promise.all([unpackLibtorch([path], env(), silent), unpackLibtorch([path], env(), silent)])
    expect(both[0]).toEqual(both[1])
    expect(cached()).toEqual(['2.13.0+cpu'])
  })

  test('clears away what a killed set-up left, and replaces a damaged folder', async () => {
    const cache = join(env().XDG_CACHE_HOME, 'cae-torch/libtorch')
    writeTree(cache, { '.new-dead/torch/lib/libc10.so': 'half', '2.13.0+cpu/torch/lib/libc10.so': 'half' })
    await unpackLibtorch([archive('torch.whl', wheel())], env(), silent)
    expect(cached()).toEqual(['2.13.0+cpu'])
    expect((await searchLibtorch({ env: env(), python: false })).libtorch?.version).toBe('2.13.0+cpu')
  })

  test('says so when the cache cannot be written', async () => {
    const file = archive('not-a-folder', Buffer.from(''))
    const unwritable = unpackLibtorch([archive('torch.whl', wheel())], { XDG_CACHE_HOME: file }, silent)
    expect((await failure(unwritable)).message).toContain('cache')
  })

  test('never writes outside its folder', () => {
    expect(keptPath('torch/lib/../../../etc/passwd')).toBeUndefined()
    expect(keptPath('/torch/lib/libc10.so')).toBeUndefined()
    expect(keptPath('torch/lib/libc10.so')).toBe('torch/lib/libc10.so')
  })
})

describe('zip archives', () => {
  test.each([false, true])('every entry comes out as it went in (zip64: %s)', async (zip64) => {
    const files = { 'a/empty': Buffer.alloc(0), 'a/text': Buffer.from('text '.repeat(1000)), b: Buffer.from([0, 255, 3]) }
    const path = archive('x.zip', makeZip(files, { zip64 }))
    const entries = await listZip(path)
    expect(entries.map(({ name, bytes }) => [name, bytes])).toEqual(Object.entries(files).map(([name, content]) => [name, content.length]))
    for (const entry of entries) {
      const target = join(temporary(), 'out', entry.name)
      await extractEntry(path, entry, target)
      expect(readFileSync(target)).toEqual(files[entry.name as keyof typeof files])
    }
  })
})
