import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The smallest file that a loader would take for a shared library: a header and one segment that spans `bytes`. */
export function elf(bytes = 256): Buffer {
  const file = Buffer.alloc(bytes)
  file.writeUInt32BE(0x7f454c46, 0)
  file.writeUInt8(2, 4) // 64 bits
  file.writeBigUInt64LE(64n, 32) // program headers begin
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  file.writeUInt32LE(1, 64) // PT_LOAD
  file.writeBigUInt64LE(BigInt(bytes), 64 + 32)
  return file
}

/** Files of a libtorch that passes for one until it is opened; paths inside its folder. */
export function libtorchFiles(version = '2.13.0+cpu', cuda = false): Readonly<Record<string, Buffer>> {
  const libraries = ['torch', 'torch_cpu', 'c10', ...(cuda ? ['torch_cuda'] : [])]
  return {
    ...Object.fromEntries(libraries.map((name) => [`lib/lib${name}.so`, elf()])),
    'include/ATen/ATen.h': Buffer.from('#pragma once\n'),
    'share/cmake/Torch/TorchConfig.cmake': Buffer.from('# -D_GLIBCXX_USE_CXX11_ABI=1\n'),
    'version.py': Buffer.from(`__version__ = '${version}'\n`),
  }
}

/** Writes a fake libtorch into `folder`, or other files over or beside it. */
export function writeTree(folder: string, files: Readonly<Record<string, Buffer | string>>): string {
  for (const [path, content] of Object.entries(files)) {
    const target = join(folder, path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, content)
  }
  return folder
}
