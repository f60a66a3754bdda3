import { existsSync } from 'node:fs'
import { readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isSupported, parseTorchVersion, supportedRange } from './abi.js'
import { libraryFile, libraryProblem } from './shared-library.js'

/** A libtorch that can be built against: a folder with `lib/`, `include/` and `share/cmake/`. */
export interface Libtorch {
  /** Real path of the folder. */
  readonly folder: string
  /** Such as `2.13.0+cpu`. */
  readonly version: string
  readonly cuda: boolean
}

/** Either a usable libtorch or the one sentence that says why not. */
export type Inspection = { readonly libtorch: Libtorch } | { readonly libtorch?: undefined; readonly problem: string }

/** Libraries that every build links. */
const required = ['torch', 'torch_cpu', 'c10'].map(libraryFile)
const headers = ['include/ATen/ATen.h', 'share/cmake/Torch/TorchConfig.cmake']

/** Looks whether `folder` (a libtorch folder, or site-packages/torch) is whole and of a supported version. */
export async function inspectLibtorch(folder: string): Promise<Inspection> {
  const info = await stat(folder).catch(() => undefined)
  if (info === undefined) return { problem: 'there is no such folder' }
  if (!info.isDirectory()) return { problem: 'is a file, not a libtorch folder' }
  const version = await libtorchVersion(folder)
  if (version === undefined) return { problem: 'is not a libtorch folder: it holds no version' }
  const parsed = parseTorchVersion(version)
  if (parsed === undefined || !isSupported(parsed)) return { problem: `holds libtorch ${version}; supported are ${supportedRange}` }
  for (const file of headers) {
    if (!existsSync(join(folder, file))) return { problem: `is incomplete: ${file} is missing` }
  }
  const cuda = existsSync(join(folder, 'lib', libraryFile('torch_cuda')))
  for (const name of cuda ? [...required, libraryFile('torch_cuda')] : required) {
    const problem = await libraryProblem(join(folder, 'lib', name))
    if (problem !== undefined) return { problem: `is incomplete: lib/${name} ${problem}` }
  }
  return { libtorch: { folder: await realpath(folder), version, cuda } }
}

/** The version a libtorch folder states: `version.py` of a wheel, `build-version` of a libtorch archive, else its header. */
export async function libtorchVersion(folder: string): Promise<string | undefined> {
  const read = (file: string) => readFile(join(folder, file), 'utf8').catch(() => '')
  const python = /^__version__ = '([^']+)'/m.exec(await read('version.py'))?.[1]
  const archive = (await read('build-version')).trim() || (await read('../build-version')).trim()
  if (python !== undefined || archive !== '') return python ?? archive
  const header = await read('include/torch/headeronly/version.h')
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`#define TORCH_VERSION_${part} (\\d+)`).exec(header)?.[1])
  return parts.includes(undefined) ? undefined : parts.join('.')
}
