import { existsSync } from 'node:fs'
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { openTorchFile, type TorchFile } from '../../src/io/torch-file.js'
import { makeZip } from '../setup/make-zip.js'
import {
  call,
  dict,
  floats,
  global,
  int,
  list,
  none,
  object,
  type Pickled,
  pickle,
  real,
  recalled,
  remembered,
  storage,
  type TensorTerms,
  tensor,
  text,
  torchLegacy,
  torchZip,
  tuple,
} from '../support/make-torch.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

async function opened(bytes: Buffer): Promise<TorchFile> {
  const path = join(folder(), 'made.pth')
  await writeFile(path, bytes)
  return openTorchFile(path)
}

async function expectRefused(bytes: Buffer, message: RegExp): Promise<void> {
  const started = performance.now()
  await expect(opened(bytes).then((file) => file.close())).rejects.toMatchObject({
    name: 'CaeError',
    code: 'ERR_CAE_CHECKPOINT',
    message: expect.stringMatching(message),
  })
  expect(performance.now() - started).toBeLessThan(5000)
}

const counting = floats(...Array.from({ length: 24 }, (_, at) => at))
const whole: TensorTerms = { length: 24, shape: [4, 6], strides: [6, 1] }

describe.each([
  ['zip', (root: Pickled, _: number, bytes: Buffer) => torchZip(root, { 0: bytes })],
  ['zip64', (root: Pickled, _: number, bytes: Buffer) => torchZip(root, { 0: bytes }, { zip64: true, padding: 0 })],
  ['legacy', (root: Pickled, length: number, bytes: Buffer) => torchLegacy(root, [['0', length, bytes]])],
] as const)('a file of torch.save in its %s form', (form, make) => {
  test.each<[what: string, terms: Partial<TensorTerms>, values: number[]]>([
    ['a whole storage', {}, Array.from({ length: 24 }, (_, at) => at)],
    ['a transposed one', { shape: [6, 4], strides: [1, 6] }, Array.from({ length: 24 }, (_, at) => (at % 4) * 6 + Math.floor(at / 4))],
    ['a slice', { shape: [2, 3], strides: [6, 1], offset: 7 }, [7, 8, 9, 13, 14, 15]],
    ['every fifth element', { shape: [5], strides: [5] }, [0, 5, 10, 15, 20]],
    [
      'a permuted one',
      { shape: [2, 3, 4], strides: [1, 2, 6] },
      [0, 6, 12, 18, 2, 8, 14, 20, 4, 10, 16, 22, 1, 7, 13, 19, 3, 9, 15, 21, 5, 11, 17, 23],
    ],
    ['one element repeated', { shape: [2, 2], strides: [0, 0], offset: 3 }, [3, 3, 3, 3]],
    ['a row repeated', { shape: [2, 3], strides: [0, 1], offset: 1 }, [1, 2, 3, 1, 2, 3]],
    ['windows that overlap', { shape: [3, 2], strides: [1, 1] }, [0, 1, 1, 2, 2, 3]],
    ['no dimension', { shape: [], strides: [], offset: 23 }, [23]],
    ['no elements', { shape: [0, 3], strides: [3, 1], offset: 24 }, []],
    ['no elements of any size', { shape: [2 ** 52, 0, 2 ** 52], strides: [1, 1, 1] }, []],
    ['odd strides where there is one element', { shape: [1, 2, 1], strides: [999, 1, 7], offset: 4 }, [4, 5]],
  ])('reads %s', async (_, terms, values) => {
    await using file = await opened(make(dict({ w: tensor({ ...whole, ...terms }) }), 24, counting))
    const shape = (terms.shape ?? whole.shape).map(Number)
    expect(file.format).toBe(form === 'legacy' ? 'torch-legacy' : 'torch-zip')
    expect(file.tensors.get('w')).toMatchObject({ dtype: 'F32', shape })
    expect(await file.readFloat32('w')).toEqual({ data: Float32Array.from(values), shape })
    expect(await file.read('w')).toEqual({ dtype: 'F32', data: Float32Array.from(values), shape })
  })

  test.each([
    ['DoubleStorage', 'F64', Float64Array.of(0.1, Number.NaN)],
    ['FloatStorage', 'F32', Float32Array.of(1, Number.NEGATIVE_INFINITY)],
    ['LongStorage', 'I64', BigInt64Array.of(-1n, 2n ** 60n)],
    ['IntStorage', 'I32', Int32Array.of(-1, 7)],
    ['ShortStorage', 'I16', Int16Array.of(-1, 7)],
    ['HalfStorage', 'F16', Uint16Array.of(0x3c00, 0x7e01)],
    ['BFloat16Storage', 'BF16', Uint16Array.of(0x3f80, 0xffff)],
    ['CharStorage', 'I8', Int8Array.of(-1, 7)],
    ['ByteStorage', 'U8', Uint8Array.of(255, 7)],
    ['BoolStorage', 'BOOL', Uint8Array.of(1, 0)],
  ])('reads %s as %s, bit for bit, whole and reversed', async (type, dtype, values) => {
    const terms = { type: `torch ${type}`, length: 2, shape: [2], strides: [1] }
    const pair = { ...terms, shape: [2, 2], strides: [0, 1] }
    const bytes = Buffer.from(values.buffer)
    await using file = await opened(make(dict({ a: tensor(terms), b: tensor(pair) }), 2, bytes))
    const { data } = await file.read('a')
    expect({ dtype: file.tensors.get('a')?.dtype, kind: data.constructor }).toEqual({ dtype, kind: values.constructor })
    expect(Buffer.from(data.buffer)).toEqual(bytes)
    expect(Buffer.from((await file.read('b')).data.buffer)).toEqual(Buffer.concat([bytes, bytes]))
    if (/^B?F/.test(dtype)) expect((await file.readFloat32('b')).data).toHaveLength(4)
    else await expect(file.readFloat32('b')).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(/"b" is/) })
  })

  test('names tensors by their path, and gives the rest as plain data', async () => {
    const w = remembered(1, tensor({ ...whole, shape: [2], strides: [1] }))
    const root = dict({
      model: dict({ 'blocks.0.w': w, tied: recalled(1) }),
      states: list(dict({ exp_avg: recalled(1), step: int(3) }), recalled(1)),
      epoch: int(7),
      seed: int(2n ** 60n),
      best: call('numpy.core.multiarray scalar', numpyDtype('f8'), call('_codecs encode', text('\0\0\0\0\0\0ô?'), text('latin1'))),
      count: call('numpy._core.multiarray scalar', numpyDtype('i4', '>'), call('_codecs encode', text('\0\0\x01\0'), text('latin1'))),
      when: call('numpy.core.multiarray scalar', numpyDtype('M8'), call('_codecs encode', text('12345678'), text('latin1'))),
      args: object('argparse Namespace', {
        lr: real(0.5),
        device: call('torch device', text('cuda'), int(1)),
        betas: tuple(real(0.9), none),
      }),
      dtype: global('torch float16'),
      __proto__x: none,
      empty: call('collections OrderedDict'),
    })
    await using file = await opened(make(root, 24, counting))
    expect([...file.tensors.keys()]).toEqual(['model.blocks.0.w', 'model.tied', 'states.0.exp_avg', 'states.1'])
    expect(file.extras).toEqual({
      states: [{ step: 3 }, null],
      epoch: 7,
      seed: 2n ** 60n,
      best: 1.25,
      count: 256,
      when: Uint8Array.from(Buffer.from('12345678')),
      args: { lr: 0.5, device: 'cuda:1', betas: [0.9, null] },
      dtype: 'torch.float16',
      __proto__x: null,
      empty: {},
    })
  })

  test('reads a whole pickled module: parameters, buffers that are saved, parts, and its plain attributes', async () => {
    const weight = call('torch._utils _rebuild_parameter', tensor({ ...whole, shape: [2], strides: [1] }), Buffer.from([0x88]), none)
    const table = tensor({ ...whole, shape: [1], strides: [1], offset: 5 })
    const part = object('dall_e.utils Conv2d', {
      kw: int(3),
      pad: tuple(int(1), int(2)),
      _parameters: dict({ w: weight, b: none }),
      hook: call('collections OrderedDict'),
    })
    const root = object('dall_e.encoder Encoder', {
      n_hid: int(8),
      training: Buffer.from([0x88]),
      _parameters: dict({}),
      _buffers: dict({ kept: table, scratch: table }),
      _non_persistent_buffers_set: call('__builtin__ set', list(text('scratch'))),
      _modules: dict({ blocks: object('torch.nn.modules.container Sequential', { _modules: dict({ input: part }) }) }),
    })
    await using file = await opened(make(root, 24, counting))
    expect([...file.tensors.keys()]).toEqual(['kept', 'blocks.input.w'])
    const input = { __class__: 'dall_e.utils.Conv2d', kw: 3, pad: [1, 2] }
    expect(file.extras).toEqual({
      __class__: 'dall_e.encoder.Encoder',
      n_hid: 8,
      training: true,
      blocks: { __class__: 'torch.nn.modules.container.Sequential', input },
    })
  })

  const raw = (bytes: string): Pickled => Buffer.from(bytes, 'latin1')
  const beside = (bytes: string): Pickled => dict({ w: tensor(whole), x: raw(bytes) })
  test.each<[what: string, root: Pickled, message: RegExp]>([
    ['a system call', dict({ w: call('posix system', text('echo unsafe > PICKLE_RAN')) }), /names "posix.system".*nothing of it was run/],
    ['os.system', dict({ w: call('os system', text('touch PICKLE_RAN')) }), /names "os.system"/],
    ['eval', call('__builtin__ eval', text('1')), /names "__builtin__.eval"/],
    ['getattr', call('builtins getattr', none), /names "builtins.getattr"/],
    ['a prototype name', call('constructor toString'), /names "constructor.toString"/],
    ['a global that is not used', Buffer.concat([dict({}), global('pathlib PosixPath'), raw('q\x05}s')]), /names "pathlib.PosixPath"/],
    ['a global named by a megabyte of text', raw(`X\x40\x42\x0f\x00${'a'.repeat(1_000_000)}X\x01\x00\x00\x00b\x93`), /names "a{10,200}"/],
    ['a call of a type', call('torch FloatStorage', int(5)), /FloatStorage, which is no function/],
    ['numbers at a bad position', dict({ w: tensor({ ...whole, offset: -1 }) }), /begins at what is no position/],
    ['a negative size', dict({ w: tensor({ ...whole, shape: [-4, 6] }) }), /sizes and strides/],
    ['a negative stride', dict({ w: tensor({ ...whole, strides: [-6, 1] }) }), /sizes and strides/],
    ['a stride too few', dict({ w: tensor({ ...whole, strides: [1] }) }), /sizes and strides/],
    ['sizes past 2^53', dict({ w: tensor({ ...whole, shape: [2n ** 62n] }) }), /sizes and strides/],
    ['65 dimensions', dict({ w: tensor({ ...whole, shape: Array(65).fill(1), strides: Array(65).fill(1) }) }), /sizes and strides/],
    [
      'sizes whose product overflows',
      dict({ w: tensor({ ...whole, shape: [2 ** 50, 2 ** 50], strides: [2 ** 50, 1] }) }),
      /reaches past its storage/,
    ],
    ['an element past the storage', dict({ w: tensor({ ...whole, offset: 1 }) }), /reaches past its storage of 96 bytes/],
    ['a last element past the storage', dict({ w: tensor({ ...whole, shape: [2], strides: [24] }) }), /reaches past its storage/],
    ['one element repeated 2^50 times', dict({ w: tensor({ ...whole, shape: [2 ** 50], strides: [0] }) }), /more often than is allowed/],
    ['a tensor without a storage', dict({ w: call('torch._utils _rebuild_tensor_v2', none, int(0), tuple(), tuple()) }), /no storage/],
    ['a parameter without a tensor', dict({ w: call('torch._utils _rebuild_parameter', int(1)) }), /no tensor/],
    ['a storage of an unknown type', dict({ w: tensor({ ...whole, type: 'torch Size' }) }), /no type, name and length/],
    ['a storage of two lengths', dict({ a: tensor(whole), b: tensor({ ...whole, length: 25 }) }), /described in two ways/],
    ['a storage of negative length', dict({ w: tensor({ ...whole, length: -1 }) }), /no type, name and length/],
    ['a storage too large for any file', dict({ w: tensor({ ...whole, length: 2 ** 53 - 1 }) }), /too large for any file/],
    ['a storage that is not there', dict({ w: tensor({ ...whole, key: '../../x' }) }), /no storage|lists a storage/],
    [
      'a storage of another length than its data',
      dict({ w: tensor({ ...whole, length: 20, shape: [2], strides: [1] }) }),
      /take 80|expect 20/,
    ],
    [
      'complex numbers',
      dict({ w: call('torch._utils _rebuild_tensor_v3', storage(whole), int(0), tuple(), tuple(), none, none, global('torch complex64')) }),
      /torch complex64, which is not known/,
    ],
    ['something else outside', Buffer.concat([tuple(text('file'), text('/etc/passwd')), raw('Q')]), /outside that is no storage/],
    ['two tensors of one name', dict({ 'a.b': tensor(whole), a: dict({ b: tensor(whole) }) }), /two of its tensors are called "a.b"/],
    ['a list that contains itself', beside(']q\x01h\x01a'), /contains itself/],
    ['a dictionary that contains itself', beside('}q\x01X\x01\x00\x00\x00ah\x01s'), /contains itself/],
    ['lists that double 60 times over', beside(`]q\x00${'h\x00\x86q\x00'.repeat(60)}`), /more than 500000 things/],
    ['nesting 100,000 deep', beside(`${']'.repeat(100_000)}${'a'.repeat(99_999)}`), /more than 100 deep/],
    [
      'the same text encoded over and over',
      beside(`](c_codecs\nencode\nq\x01X\x40\x42\x0f\x00${'a'.repeat(1_000_000)}\x85q\x02R${'h\x01h\x02R'.repeat(5000)}e`),
      /encodes more than/,
    ],
    ['a name of a megabyte', dict({ ['k'.repeat(1_000_000)]: tensor(whole) }), /name of more than 1000 characters/],
    ['a key that is a tuple', Buffer.concat([raw('}'), tuple(int(1)), tensor(whole), raw('s')]), /keys are neither text nor numbers/],
  ])('refuses %s', async (_, root, message) => {
    await expectRefused(make(root, 24, counting), message)
    expect(existsSync('PICKLE_RAN')).toBe(false)
  })

  test('refuses every truncation', async () => {
    const bytes = make(dict({ w: tensor(whole) }), 24, counting)
    for (let length = 0; length < bytes.length; length += 3) await expectRefused(bytes.subarray(0, length), /./)
  })
})

describe('a file of torch.save', () => {
  test('gives a lone tensor the name "tensor", and takes an empty dictionary', async () => {
    await using lone = await opened(torchZip(tensor(whole), { 0: counting }))
    expect([...lone.tensors.keys()]).toEqual(['tensor'])
    await using empty = await opened(torchZip(dict({})))
    expect([...empty.tensors, ...Object.keys(empty.extras)]).toEqual([])
  })

  test('follows the byte order of the file', async () => {
    const files = { 'archive/byteorder': Buffer.from('big') }
    const root = dict({ w: tensor({ ...whole, length: 2, shape: [2], strides: [1] }) })
    await using file = await opened(torchZip(root, { 0: Buffer.from(floats(1, 2)).swap32() }, { files }))
    expect((await file.readFloat32('w')).data).toEqual(Float32Array.of(1, 2))
    await expectRefused(
      torchZip(root, { 0: floats(1, 2) }, { files: { 'archive/byteorder': Buffer.from('middle') } }),
      /byte order is "middle"/,
    )
  })

  test('reads element types without a storage class of their own', async () => {
    const typed = (name: string, offset: number, count: number) =>
      call(
        'torch._utils _rebuild_tensor_v3',
        storage({ ...whole, type: 'torch.storage UntypedStorage', length: 96 }),
        int(offset),
        tuple(int(count)),
        tuple(int(1)),
        none,
        none,
        global(`torch ${name}`),
      )
    const root = dict({ u16: typed('uint16', 2, 3), f8: typed('float8_e4m3fn', 4, 1), u64: typed('uint64', 11, 1) })
    await using file = await opened(torchZip(root, { 0: counting }))
    expect([...file.tensors.values()].map(({ dtype }) => dtype)).toEqual(['U16', 'F8_E4M3', 'U64'])
    expect((await file.read('u16')).data).toEqual(Uint16Array.of(0, 0x3f80, 0))
    await expectRefused(torchZip(dict({ w: typed('uint64', 12, 1) }), { 0: counting }), /reaches past/)
  })

  test('reads a part of a storage, as legacy files name it', async () => {
    const view = tuple(text('1'), int(4), int(3))
    const of = (terms: Partial<TensorTerms>) => torchLegacy(dict({ w: tensor({ ...whole, view, ...terms }) }), [['0', 24, counting]])
    await using file = await opened(of({ shape: [2], strides: [2] }))
    expect((await file.readFloat32('w')).data).toEqual(Float32Array.of(4, 6))
    await expectRefused(of({ shape: [4], strides: [1] }), /reaches past its storage of 12 bytes/)
    await expectRefused(of({ view: tuple(text('1'), int(22), int(3)) }), /lies outside it/)
  })

  test('reads a large transposed tensor and a thin slice in pieces', async () => {
    const [rows, columns] = [2100, 2050] // 17 MB, above what is read at once
    const values = Float32Array.from({ length: rows * columns }, (_, at) => at)
    const terms = { length: values.length, shape: [columns, rows], strides: [1, columns] }
    const slice = { length: values.length, shape: [3], strides: [2_000_000], offset: 5 }
    await using file = await opened(torchZip(dict({ t: tensor(terms), s: tensor(slice) }), { 0: Buffer.from(values.buffer) }))
    const { data } = await file.readFloat32('t')
    expect(data.every((value, at) => value === (at % rows) * columns + Math.floor(at / rows))).toBe(true)
    expect((await file.readFloat32('s')).data).toEqual(Float32Array.of(5, 2_000_005, 4_000_005))
  })

  test('refuses TorchScript, other archives and compressed entries', async () => {
    const root = dict({ w: tensor(whole) })
    await expectRefused(torchZip(root, { 0: counting }, { files: { 'archive/code/__torch__.py': Buffer.from('pass') } }), /TorchScript/)
    await expectRefused(torchZip(root, { 0: counting }, { files: { 'archive/constants.pkl': Buffer.from('x') } }), /TorchScript/)
    await expectRefused(makeZip({ 'word/document.xml': Buffer.from('x') }), /no data.pkl/)
    await expectRefused(makeZip({ 'archive/data.pkl': pickle(root), 'archive/data/0': Buffer.alloc(1 << 24) }), /data.pkl is compressed/)
    await expectRefused(torchZip(root, {}), /no storage "0"/)
    const twice = torchZip(root, { 0: counting, 1: counting })
    for (let at = twice.indexOf('data/1'); at >= 0; at = twice.indexOf('data/1')) twice.write('data/0', at)
    await expectRefused(twice, /two entries/)
  })

  test('refuses a pickle by something else, and a legacy file whose storages do not add up', async () => {
    await expectRefused(pickle(dict({})), /torch.save did not make/)
    const root = dict({ w: tensor(whole) })
    await expectRefused(torchLegacy(root, []), /lacks storages/)
    await expectRefused(
      torchLegacy(root, [
        ['0', 24, counting],
        ['0', 24, counting],
      ]),
      /lists a storage twice/,
    )
    await expectRefused(torchLegacy(root, [['1', 24, counting]]), /one that nothing uses/)
    await expectRefused(torchLegacy(root, [['0', -1, counting]]), /-1 elements/)
    await expectRefused(torchLegacy(root, [['0', 24, counting.subarray(1)]]), /cut short/)
  })

  test('says which tensor is not there, and notices that the file has shrunk', async () => {
    await using file = await opened(torchLegacy(dict({ w: tensor(whole) }), [['0', 24, counting]]))
    await expect(file.read('v')).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(/no tensor "v"/) })
    await truncate(file.path, (await readFile(file.path)).length - 4)
    await expect(file.read('w')).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(/cut short/) })
  })

  test('says that a file is missing, and that a folder is none', async () => {
    await expect(openTorchFile(join(folder(), 'none'))).rejects.toMatchObject({
      code: 'ERR_CAE_CHECKPOINT',
      message: expect.stringMatching(/no such file/),
    })
    await mkdir(join(folder(), 'sub'))
    await expect(openTorchFile(join(folder(), 'sub'))).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
  })
})

function numpyDtype(name: string, order = '<'): Pickled {
  const made = call('numpy dtype', text(name), Buffer.from([0x89]), Buffer.from([0x88]))
  return Buffer.concat([made, tuple(int(3), text(order), none, none, none, int(-1), int(-1), int(0)), Buffer.from('b')])
}
