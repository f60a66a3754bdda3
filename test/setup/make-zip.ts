import { crc32, deflateRawSync } from 'node:zlib'

/**
 * A zip archive of `files`, deflated or, with `stored`, as they are; `zip64` writes sizes and offsets the wide way. `padding` bytes stand
 * before each file's data, as a writer puts them that aligns it.
 */
export function makeZip(files: Readonly<Record<string, Buffer>>, { zip64 = false, stored = false, padding = 0 } = {}): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(files)) {
    const data = stored ? content : deflateRawSync(content)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(Buffer.byteLength(name), 26)
    local.writeUInt16LE(padding, 28)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(stored ? 0 : 8, 10)
    entry.writeUInt32LE(crc32(content), 16)
    entry.writeUInt32LE(zip64 ? 0xffffffff : data.length, 20)
    entry.writeUInt32LE(zip64 ? 0xffffffff : content.length, 24)
    entry.writeUInt16LE(Buffer.byteLength(name), 28)
    const extra = Buffer.alloc(zip64 ? 28 : 0)
    if (zip64) {
      extra.writeUInt16LE(1, 0)
      extra.writeUInt16LE(24, 2)
      for (const [i, value] of [content.length, data.length, offset].entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
    }
    entry.writeUInt16LE(extra.length, 30)
    entry.writeUInt32LE(zip64 ? 0xffffffff : offset, 42)
    directory.push(entry, Buffer.from(name), extra)
    parts.push(local, Buffer.from(name), Buffer.alloc(padding, 'FB'), data)
    offset += local.length + Buffer.byteLength(name) + padding + data.length
  }
  const bytes = directory.reduce((sum, part) => sum + part.length, 0)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt32LE(zip64 ? 0xffffffff : bytes, 12)
  end.writeUInt32LE(zip64 ? 0xffffffff : offset, 16)
  const wide = Buffer.alloc(zip64 ? 76 : 0)
  if (zip64) {
    wide.writeUInt32LE(0x06064b50, 0)
    wide.writeBigUInt64LE(BigInt(bytes), 40)
    wide.writeBigUInt64LE(BigInt(offset), 48)
    wide.writeUInt32LE(0x07064b50, 56)
    wide.writeBigUInt64LE(BigInt(offset + bytes), 64)
  }
  return Buffer.concat([...parts, ...directory, wide, end])
}
