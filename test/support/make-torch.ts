import { makeZip } from '../setup/make-zip.js'

/** Bytes of a pickle that leave one object on the stack. */
export type Pickled = Buffer

export const none: Pickled = Buffer.from('N')
export const text = (value: string): Pickled => Buffer.concat([Buffer.from('X'), uint32(Buffer.byteLength(value)), Buffer.from(value)])
export const int = (value: number | bigint): Pickled => {
  const bytes = Buffer.alloc(10)
  bytes.set([0x8a, 8])
  bytes.writeBigInt64LE(BigInt(value), 2)
  return bytes
}
export const real = (value: number): Pickled => {
  const bytes = Buffer.from('G--------')
  bytes.writeDoubleBE(value, 1)
  return bytes
}
export const tuple = (...items: Pickled[]): Pickled => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')])
export const list = (...items: Pickled[]): Pickled => Buffer.concat([Buffer.from(']('), ...items, Buffer.from('e')])
export const dict = (entries: Readonly<Record<string, Pickled>>): Pickled =>
  Buffer.concat([Buffer.from('}('), ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]), Buffer.from('u')])
/** A class or function: `torch._utils _rebuild_tensor_v2`. */
export const global = (name: string): Pickled => Buffer.from(`c${name.replace(' ', '\n')}\n`)
export const call = (name: string, ...args: Pickled[]): Pickled => Buffer.concat([global(name), tuple(...args), Buffer.from('R')])
export const remembered = (index: number, value: Pickled): Pickled => Buffer.concat([value, Buffer.from('r'), uint32(index)])
export const recalled = (index: number): Pickled => Buffer.concat([Buffer.from('j'), uint32(index)])
/** An object of a class with its `__dict__`. */
export const object = (name: string, state: Readonly<Record<string, Pickled>>): Pickled =>
  Buffer.concat([global(name), Buffer.from([0x29, 0x81]), dict(state), Buffer.from('b')])
export const pickle = (value: Pickled): Buffer => Buffer.concat([Buffer.from([0x80, 2]), value, Buffer.from('.')])

/** What `_rebuild_tensor_v2` is told of a tensor. */
export interface TensorTerms {
  readonly type?: string
  readonly key?: string
  /** Elements of the storage. */
  readonly length: number
  readonly offset?: number | bigint
  readonly shape: readonly (number | bigint)[]
  readonly strides: readonly (number | bigint)[]
  /** Sixth part of a legacy file's persistent id. */
  readonly view?: Pickled
}

export function storage({ type = 'torch FloatStorage', key = '0', length, view }: TensorTerms): Pickled {
  const id = tuple(text('storage'), global(type), text(key), text('cpu'), int(length), ...(view ? [view] : []))
  return Buffer.concat([id, Buffer.from('Q')])
}

export function tensor(terms: TensorTerms): Pickled {
  const { offset = 0, shape, strides } = terms
  return call(
    'torch._utils _rebuild_tensor_v2',
    storage(terms),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    Buffer.from([0x89]),
    call('collections OrderedDict'),
  )
}

/** A `torch.save` file in its zip form. */
export function torchZip(
  root: Pickled,
  storages: Readonly<Record<string, Buffer>> = {},
  options: { readonly files?: Readonly<Record<string, Buffer>>; readonly padding?: number; readonly zip64?: boolean } = {},
): Buffer {
  const { files = {}, padding = 3, zip64 = false } = options
  const data = Object.entries(storages).map(([key, bytes]) => [`archive/data/${key}`, bytes])
  const all = { 'archive/data.pkl': pickle(root), ...Object.fromEntries(data), 'archive/version': Buffer.from('3\n'), ...files }
  return makeZip(all, { stored: true, padding, zip64 })
}

/** A `torch.save` file in its legacy form; each storage with its number of elements. */
export function torchLegacy(root: Pickled, storages: readonly (readonly [key: string, length: number, bytes: Buffer])[]): Buffer {
  const magic = Buffer.from([0x8a, 10, ...Buffer.from('6cfc9c46f9206aa85019', 'hex')])
  const facts = dict({ protocol_version: int(1001), little_endian: Buffer.from([0x88]) })
  const pickles = [magic, int(1001), facts, root, list(...storages.map(([key]) => text(key)))].map(pickle)
  const data = storages.flatMap(([, length, bytes]) => {
    const head = Buffer.alloc(8)
    head.writeBigInt64LE(BigInt(length))
    return [head, bytes]
  })
  return Buffer.concat([...pickles, ...data])
}

/** Little-endian bytes of float32 values. */
export function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
