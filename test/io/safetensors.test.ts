import { createHash } from 'node:crypto'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import fc from 'fast-check'

import type { CaeError } from '../../src/errors.js'
import { openSafetensors, readSafetensorsHeader, writeNewSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

/** A file with this header and so many zero bytes of data. */
async function fileOf(header: string | Uint8Array, dataBytes = 0, headerBytes?: bigint): Promise<string> {
  const json = Buffer.from(header)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(headerBytes ?? BigInt(json.length))
  const path = join(folder(), 'made.safetensors')
  await writeFile(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]))
  return path
}

const entry = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets })

describe('reading a safetensors file', () => {
  const refused: [what: string, header: unknown, dataBytes: number, message: RegExp][] = [
    ['text that is not JSON', '{"a":', 0, /not JSON text/],
    ['a header that is not an object', '[]', 0, /does not start with \{/],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 0, /not JSON text/],
    ['an entry that is not an object', { a: 1 }, 0, /entry of "a"/],
    ['a missing dtype', { a: { shape: [], data_offsets: [0, 4] } }, 4, /no dtype/],
    ['an unknown dtype, by its name', { a: entry('F6', [1], [0, 1]) }, 1, /element type "F6"/],
    ['a prototype name as dtype', { a: entry('toString', [1], [0, 1]) }, 1, /element type "toString"/],
    ['a negative size', { a: entry('F32', [-1], [0, 4]) }, 4, /shape of "a"/],
    ['a fractional size', { a: entry('F32', [1.5], [0, 6]) }, 6, /shape of "a"/],
    ['a shape that is text', { a: entry('F32', '1', [0, 4]) }, 4, /shape of "a"/],
    ['three offsets', { a: entry('F32', [1], [0, 4, 8]) }, 4, /data_offsets of "a"/],
    ['offsets past 2^53', { a: entry('F32', [1], [0, 2 ** 53]) }, 4, /data_offsets of "a"/],
    ['data that ends before it begins', { a: entry('F32', [1], [4, 0]) }, 4, /ends before it begins/],
    ['a shape larger than its data', { a: entry('F32', [2], [0, 4]) }, 4, /takes 8 bytes, its data has 4/],
    ['a shape whose product wraps around to 0', { a: entry('F32', [2 ** 32, 2 ** 32], [0, 0]) }, 0, /too large/],
    ['data past the end of the file', { a: entry('F32', [2], [0, 8]) }, 4, /cut short/],
    ['bytes after the last tensor', { a: entry('F32', [1], [0, 4]) }, 5, /1 bytes follow/],
    ['a gap', { a: entry('U8', [1], [0, 1]), b: entry('U8', [1], [2, 3]) }, 3, /gap of 1 bytes before the data of "b"/],
    ['an overlap', { a: entry('U8', [2], [0, 2]), b: entry('U8', [2], [1, 3]) }, 3, /"b" overlaps/],
    ['two tensors on the same bytes', { a: entry('U8', [2], [0, 2]), b: entry('U8', [2], [0, 2]) }, 2, /overlaps/],
    [
      'a name given twice',
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
      /"a" twice/,
    ],
    ['a field given twice', '{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', 1, /"dtype" twice/],
    ['metadata that is not an object', { __metadata__: 'pt' }, 0, /__metadata__/],
    ['metadata that is not text', { __metadata__: { step: 1 } }, 0, /__metadata__.step/],
  ]
  test.each(refused)('refuses %s', async (_, header, dataBytes, message) => {
    const text = typeof header === 'string' || header instanceof Uint8Array ? header : JSON.stringify(header)
    const path = await fileOf(text, dataBytes)
    const error = await readSafetensorsHeader(path).catch((reason: CaeError) => reason)
    expect(error).toMatchObject({ name: 'CaeError', code: 'ERR_CAE_CHECKPOINT', exitCode: 6, message: expect.stringMatching(message) })
    expect(error).toMatchObject({ message: expect.stringContaining(path) })
  })

  test.each([
    ['an empty file', 0, /0 bytes/],
    ['a file cut inside the length', 5, /5 bytes/],
    ['a file cut inside the header', 20, /header would end/],
    ['a file cut inside the data', -1, /cut short/],
  ])('refuses %s', async (_, bytes, message) => {
    const path = join(folder(), 'cut.safetensors')
    const { bytes: whole } = await writeNewSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [3], data: new Float32Array(3) }])
    await truncate(path, bytes < 0 ? whole + bytes : bytes)
    await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(message) })
  })

  test.each([[2n ** 63n], [100_000_001n]])('refuses a header length of %s without reserving memory for it', async (length) => {
    const path = await fileOf('{}', 0, length)
    await expect(openSafetensors(path)).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringMatching(/would be \d+ bytes long/),
    })
  })

  test('says that a file is missing, and that a folder is none', async () => {
    await expect(openSafetensors(join(folder(), 'none'))).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringMatching(/no such file/),
    })
    await expect(openSafetensors(folder())).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringContaining(folder()),
    })
  })

  test('accepts what the format allows: padding, scalars, empty tensors, odd names, any order, braces in names', async () => {
    const header = {
      'b{"': entry('U8', [], [4, 5]),
      __proto__x: entry('F32', [0, 7], [0, 0]),
      'a\n': entry('F32', [1], [0, 4]),
      __metadata__: { format: 'pt', note: '{"a":1,"a":2}' },
    }
    const read = await readSafetensorsHeader(await fileOf(`${JSON.stringify(header)}   `, 5))
    expect([...read.tensors.keys()]).toEqual(['__proto__x', 'a\n', 'b{"'])
    expect(read.metadata).toEqual({ format: 'pt', note: '{"a":1,"a":2}' })
  })

  test('never fails with anything but a coded error, whatever the bytes', async () => {
    const path = join(folder(), 'fuzz.safetensors')
    await writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [2, 2], data: new Float32Array(4) }])
    const good = await readFile(path)
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), async (at, value) => {
        const bad = Buffer.from(good)
        bad[at] = value
        await writeFile(path, bad)
        const outcome = await readSafetensorsHeader(path).then(
          () => 'read',
          (error: CaeError) => error.code,
        )
        expect(['read', 'ERR_CAE_CHECKPOINT']).toContain(outcome)
      }),
      { numRuns: 300 },
    )
  })

  test('widens half precision exactly, subnormals, infinities and NaN included', async () => {
    const path = join(folder(), 'half.safetensors')
    const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits)
    await writeSafetensors(path, [
      { name: 'bf16', dtype: 'BF16', shape: [256, 256], data: all },
      { name: 'f16', dtype: 'F16', shape: [65_536], data: all },
      { name: 'f64', dtype: 'F64', shape: [2], data: Float64Array.of(0.1, -1e300) },
      { name: 'ids', dtype: 'I32', shape: [2], data: Int32Array.of(-1, 7) },
    ])
    await using file = await openSafetensors(path)
    const f16 = (await file.readFloat32('f16')).data
    expect(all.filter((bits) => !Object.is(f16[bits], halfValue(bits)))).toEqual(new Uint16Array())
    const bf16 = await file.readFloat32('bf16')
    expect(bf16.shape).toEqual([256, 256])
    expect(new Uint32Array(bf16.data.buffer)).toEqual(Uint32Array.from(all, (bits) => bits * 65_536))
    expect([...(await file.readFloat32('f64')).data]).toEqual([Math.fround(0.1), Number.NEGATIVE_INFINITY])
    expect(await file.read('ids')).toEqual({ dtype: 'I32', shape: [2], data: Int32Array.of(-1, 7) })
    await expect(file.readFloat32('ids')).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringMatching(/"ids" is I32/),
    })
    await expect(file.read('none')).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(/"none"/) })
  })
})

describe('writing a safetensors file', () => {
  const tensors = () => [
    { name: 'z.byte', dtype: 'U8' as const, shape: [3], data: Uint8Array.of(1, 2, 3) },
    { name: 'b', dtype: 'F32' as const, shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    { name: '10', dtype: 'F32' as const, shape: [], data: () => Float32Array.of(5) },
    { name: 'a', dtype: 'I64' as const, shape: [1], data: async () => BigInt64Array.of(-9n) },
  ]

  test('writes byte for byte what the reference writer makes of the same tensors', async () => {
    // safetensors 0.8.0: save_file({...}, path, {"format": "pt"}) of the same values
    const path = join(folder(), 'same.safetensors')
    const written = await writeNewSafetensors(path, tensors())
    const bytes = await readFile(path)
    expect(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString()).toBe(
      '{"__metadata__":{"format":"pt"},"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"10":{"dtype":"F32","shape":[],"data_offsets":[8,12]},' +
        '"b":{"dtype":"F32","shape":[2,2],"data_offsets":[12,28]},"z.byte":{"dtype":"U8","shape":[3],"data_offsets":[28,31]}} ',
    )
    expect(written).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
    expect(written.sha256).toBe('ed7acc90301cea5583286322bae949cc5b58621e6b884991bc1712d96d605db8')
  })

  test('gives the same bytes whatever the order, the time and the path', async () => {
    const a = await writeNewSafetensors(join(folder(), 'one'), tensors(), { y: '1', x: '2' })
    const b = await writeNewSafetensors(join(folder(), 'two'), tensors().reverse(), { x: '2', y: '1' })
    expect(a).toEqual(b)
  })

  test('gives back bit for bit what was written', async () => {
    const path = join(folder(), 'back.safetensors')
    const data = Float32Array.from({ length: 3_000_000 }, (_, at) => Math.sin(at)) // several read and write pieces
    await writeSafetensors(path, [{ name: 'w', dtype: 'F32', shape: [3000, 1000], data }], { model: 'cae' })
    await using file = await openSafetensors(path)
    expect(file.metadata).toEqual({ format: 'pt', model: 'cae' })
    expect(Buffer.compare(Buffer.from((await file.readFloat32('w')).data.buffer), Buffer.from(data.buffer))).toBe(0)
    expect(Buffer.compare(Buffer.from((await file.read('w')).data.buffer), Buffer.from(data.buffer))).toBe(0)
  })

  test('leaves no file behind when data and shape disagree, or data fails to come', async () => {
    const path = join(folder(), 'never')
    const one = { name: 'a', dtype: 'F32' as const, shape: [2] }
    await expect(writeSafetensors(path, [{ ...one, data: new Float32Array(3) }])).rejects.toMatchObject({ code: 'ERR_CAE_SHAPE' })
    await expect(writeSafetensors(path, [{ ...one, data: () => Promise.reject(new Error('gone')) }])).rejects.toThrow('gone')
    await expect(
      writeSafetensors(path, [
        { ...one, data: new Float32Array(2) },
        { ...one, dtype: 'U8', data: new Uint8Array(2) },
      ]),
    ).rejects.toMatchObject({
      code: 'ERR_CAE_INTERNAL',
    })
    expect(await folder.list()).toEqual([])
  })
})

/** IEEE 754 half precision by its definition. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = (bits & 1023) / 1024
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction) : sign * 2 ** -14 * fraction
}
