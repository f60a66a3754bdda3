import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CaeError } from '../../src/errors.js'
import { cudaRequirements, fetchCpuLibtorch } from '../../src/setup/fetch-libtorch.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { libtorchFiles, writeTree } from './fake-libtorch.js'
import { makeZip } from './make-zip.js'

const temporary = temporaryFolder()

/**
 * A PATH whose only Python answers pip's `download` by copying a wheel where the arguments match `serves` (a shell pattern), and writes down
 * what it was asked. The official zip is out of reach: the proxy is a closed port.
 */
function world(serves: string): { env: Record<string, string>; asked: () => string[] } {
  const folder = temporary()
  const files = Object.fromEntries(Object.entries(libtorchFiles()).map(([path, content]) => [`torch/${path}`, content]))
  writeTree(folder, {
    'torch-2.13.0+cpu-cp312.whl': makeZip(files),
    'bin/python3': [
      '#!/bin/sh',
      `if [ "$1" = -c ]; then echo '{"version": "3.12.1", "torch": null}'; exit; fi`,
      `echo "$*" >> '${folder}/asked'`,
      'dest=; previous=; for word in "$@"; do [ "$previous" = --dest ] && dest=$word; previous=$word; done',
      `case "$*" in ${serves}) exec /bin/cp '${folder}/torch-2.13.0+cpu-cp312.whl' "$dest" ;; esac`,
      'echo "ERROR: No matching distribution found for torch" >&2; exit 1',
      '',
    ].join('\n'),
  })
  chmodSync(join(folder, 'bin/python3'), 0o755)
  const env = { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache'), HTTPS_PROXY: 'http://127.0.0.1:9' }
  const asked = () => readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n')
  return { env, asked }
}

describe('fetching the CPU libtorch', () => {
  test('asks pip as the user has configured it first, and stops there when that works', async () => {
    const { env, asked } = world('*')
    const libtorch = await fetchCpuLibtorch({ env, log: () => {} })
    expect(libtorch.version).toBe('2.13.0+cpu')
    expect(asked()).toEqual([expect.stringContaining('torch==2.13.0+cpu')])
    expect(asked()[0]).not.toContain('--index-url')
    expect(readdirSync(join(env.XDG_CACHE_HOME ?? '', 'cae-torch'))).toEqual(['libtorch'])
  })

  test('takes a wheel of another Python, then PyTorch’s own index', async () => {
    const other = world('*--python-version*')
    await fetchCpuLibtorch({ env: other.env, log: () => {} })
    expect(other.asked()).toHaveLength(2)
  })

  test('asks PyTorch’s index where the user’s configuration does not lead to the wheel', async () => {
    const { env, asked } = world('*--index-url*')
    await fetchCpuLibtorch({ env, log: () => {} })
    expect(asked().at(-1)).toContain('--index-url https://download.pytorch.org/whl/cpu')
  })

  test('offline, says every way that was tried and leaves nothing behind', async () => {
    const { env } = world('nothing')
    const error = await fetchCpuLibtorch({ env, log: () => {} }).catch((reason) => reason)
    expect(error).toBeInstanceOf(CaeError)
    expect(error.code).toBe('ERR_CAE_NO_LIBTORCH')
    expect(error.message.match(/No matching distribution/g)).toHaveLength(4)
    expect(error.message).toMatch(/libtorch-shared-with-deps.*download failed/)
    expect(error.parts.todo).toMatch(/--from FILE/)
    expect(readdirSync(join(env.XDG_CACHE_HOME ?? '', 'cae-torch'))).toEqual([])
  })

  test('without Python the zip is the only way', async () => {
    const env = { PATH: temporary(), XDG_CACHE_HOME: join(temporary(), 'cache'), HTTPS_PROXY: 'http://127.0.0.1:9' }
    const error = await fetchCpuLibtorch({ env, log: () => {} }).catch((reason) => reason)
    expect(error.message).toMatch(/no Python 3 on the PATH/)
    expect(existsSync(join(env.XDG_CACHE_HOME, 'cae-torch/libtorch'))).toBe(false)
  })
})

test('a torch wheel names the CUDA libraries it needs', () => {
  const metadata = [
    'Requires-Dist: filelock',
    'Requires-Dist: cuda-toolkit[cublas,cudart]==13.0.3; platform_system == "Linux"',
    'Requires-Dist: cuda-bindings<14,>=13.0.3; platform_system == "Linux"',
    'Requires-Dist: nvidia-nccl-cu13 == 2.30.7; platform_system == "Linux"',
    'Requires-Dist: triton~=3.8.0; platform_system == "Linux"',
  ].join('\n')
  expect(cudaRequirements(metadata)).toEqual(['cuda-toolkit[cublas,cudart]==13.0.3', 'nvidia-nccl-cu13==2.30.7'])
})
