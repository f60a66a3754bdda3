import { open } from 'node:fs/promises'
import { platform } from 'node:process'

/** File name of a shared library: `torch_cpu` -> `libtorch_cpu.so`. */
export function libraryFile(name: string): string {
  return `lib${name}${platform === 'darwin' ? '.dylib' : '.so'}`
}

const headerBytes = 64
const loadable = 1

/**
 * What is wrong with a shared library, or undefined. A file that a broken copy or download cut short has its header and lacks its end:
 * opening it kills the process with a bus error instead of failing, so every loadable segment must lie inside the file (ELF64, little endian).
 */
export async function libraryProblem(path: string): Promise<string | undefined> {
  await using file = await open(path).catch(() => undefined)
  if (file === undefined) return 'is missing'
  const { size } = await file.stat()
  if (platform !== 'linux') return size > 0 ? undefined : 'is empty'
  const header = Buffer.alloc(headerBytes)
  await file.read(header, 0, headerBytes, 0)
  if (size < headerBytes || header.readUInt32BE(0) !== 0x7f454c46) return 'is not a shared library'
  const [offset, entryBytes, entries] = [Number(header.readBigUInt64LE(32)), header.readUInt16LE(54), header.readUInt16LE(56)]
  const table = Buffer.alloc(entryBytes * entries)
  const { bytesRead } = await file.read(table, 0, table.length, offset)
  if (bytesRead < table.length) return `is cut short at ${size} bytes`
  for (let at = 0; at < table.length; at += entryBytes) {
    if (table.readUInt32LE(at) !== loadable) continue
    const end = Number(table.readBigUInt64LE(at + 8) + table.readBigUInt64LE(at + 32))
    if (end > size) return `is cut short: ${size} bytes where at least ${end} belong`
  }
  return undefined
}
