import type { Refuse } from './input-file.js'
import { NumpyDtype, numpyScalar } from './numpy-scalar.js'
import { PickleGlobal, type PickleObject, type PickleValue, type PickleWorld } from './pickle.js'
import { type Dtype, dtypeBytes } from './safetensors-header.js'
import { isCount, makeTensor, type StorageView, TorchStorage, TorchTensor } from './torch-tensor.js'

/** An object whose class does not matter: its attributes as they are in the file, and nothing that could run. */
export class InertRecord implements PickleObject {
  attributes: ReadonlyMap<PickleValue, PickleValue> = new Map()

  constructor(
    /** Such as `dall_e.utils.Conv2d`. */
    readonly className: string,
    /** Whether it is a network's part, with `_parameters`, `_buffers` and `_modules`. */
    readonly isModule: boolean,
  ) {}

  build(state: PickleValue): void {
    if (state instanceof Map) this.attributes = state
  }
}

/** A storage, or a part of one, on its way from a persistent id to the tensor that looks at it. */
class StorageHandle implements PickleObject {
  constructor(readonly view: StorageView) {}

  build(): void {}
}

/** What globals mean in files of `torch.save`, and the storages that were named so far. */
export interface TorchWorld extends PickleWorld {
  readonly storages: ReadonlyMap<string, TorchStorage>
}

/** Element type by the class of its storage. */
const storageDtypes: Readonly<Record<string, Dtype>> = {
  'torch DoubleStorage': 'F64',
  'torch FloatStorage': 'F32',
  'torch HalfStorage': 'F16',
  'torch BFloat16Storage': 'BF16',
  'torch LongStorage': 'I64',
  'torch IntStorage': 'I32',
  'torch ShortStorage': 'I16',
  'torch CharStorage': 'I8',
  'torch ByteStorage': 'U8',
  'torch BoolStorage': 'BOOL',
  'torch.storage UntypedStorage': 'U8',
  'torch.storage TypedStorage': 'U8',
}

/** Element types that a pickle names; without a counterpart here where undefined, which matters only to a tensor. */
const dtypes: Readonly<Record<string, Dtype | undefined>> = {
  'torch float64': 'F64',
  'torch float32': 'F32',
  'torch float16': 'F16',
  'torch bfloat16': 'BF16',
  'torch int64': 'I64',
  'torch int32': 'I32',
  'torch int16': 'I16',
  'torch int8': 'I8',
  'torch uint64': 'U64',
  'torch uint32': 'U32',
  'torch uint16': 'U16',
  'torch uint8': 'U8',
  'torch bool': 'BOOL',
  'torch float8_e4m3fn': 'F8_E4M3',
  'torch float8_e5m2': 'F8_E5M2',
  'torch complex64': undefined,
  'torch complex128': undefined,
}

/** Classes of whole pickled networks that are read: the tokenizer's (spec/baselines.md 9.6) and PyTorch's own common ones. */
const modules: readonly string[] = [
  'dall_e.encoder Encoder',
  'dall_e.encoder EncoderBlock',
  'dall_e.decoder Decoder',
  'dall_e.decoder DecoderBlock',
  'dall_e.utils Conv2d',
  ...['Sequential', 'ModuleList', 'ModuleDict'].map((name) => `torch.nn.modules.container ${name}`),
  ...['ReLU', 'GELU', 'Tanh', 'Softmax'].map((name) => `torch.nn.modules.activation ${name}`),
  ...['Linear', 'Identity'].map((name) => `torch.nn.modules.linear ${name}`),
  ...['Conv2d', 'ConvTranspose2d'].map((name) => `torch.nn.modules.conv ${name}`),
  ...['BatchNorm1d', 'BatchNorm2d'].map((name) => `torch.nn.modules.batchnorm ${name}`),
  ...['MaxPool2d', 'AvgPool2d'].map((name) => `torch.nn.modules.pooling ${name}`),
  'torch.nn.modules.normalization LayerNorm',
  'torch.nn.modules.dropout Dropout',
  'torch.nn.modules.upsampling Upsample',
]

/** Most bytes that a pickle may make out of text, over and over from one text even. */
const maxEncoded = 64 << 20
/** Longest name that is looked up. */
const longestGlobal = 200

/** The meanings of spec/baselines.md 9.4 for one file. A global that is not among them is an error, used or not. */
export function torchWorld(refuse: Refuse): TorchWorld {
  const storages = new Map<string, TorchStorage>()
  const globals = globalsOf(refuse)
  return {
    storages,
    find(name) {
      const found = name.length > longestGlobal ? undefined : globals.get(name)
      if (found) return found
      const shown = JSON.stringify(name.slice(0, longestGlobal).replace(' ', '.'))
      throw refuse(`it names ${shown}, which is not among what weights need; nothing of it was run`)
    },
    persistent(id) {
      if (!Array.isArray(id)) throw refuse('it refers to something outside that is no storage')
      if (id[0] === 'module') return id[1] ?? null // a class, with its source text, of which nothing is read
      if (id[0] !== 'storage') throw refuse('it refers to something outside that is no storage')
      return storageOf(id, storages, refuse)
    },
  }
}

/** ('storage', type, key, place, number of elements, and in legacy files: undefined or (view's key, offset, number of elements)). */
function storageOf(id: readonly PickleValue[], storages: Map<string, TorchStorage>, refuse: Refuse): StorageHandle {
  const [, type, key, , length, view = null] = id
  const dtype = type instanceof PickleGlobal ? storageDtypes[type.name] : undefined
  if (!dtype || typeof key !== 'string' || !isCount(length)) throw refuse('a storage has no type, name and length')
  const storage = storages.get(key) ?? new TorchStorage(key, dtype, length, refuse)
  storages.set(key, storage)
  if (storage.dtype !== dtype || storage.length !== length) throw refuse(`the storage ${JSON.stringify(key)} is described in two ways`)
  if (!Number.isSafeInteger(storage.bytes)) throw refuse(`the storage ${JSON.stringify(key)} is too large for any file`)
  if (view === null) return new StorageHandle({ storage, offset: 0, bytes: storage.bytes })
  const [, offset, count] = Array.isArray(view) ? view : []
  if (!isCount(offset) || !isCount(count) || offset + count > length) {
    throw refuse(`a part of the storage ${JSON.stringify(key)} lies outside it`)
  }
  const size = dtypeBytes[dtype]
  return new StorageHandle({ storage, offset: offset * size, bytes: count * size })
}

function globalsOf(refuse: Refuse): ReadonlyMap<string, PickleGlobal> {
  type Call = (args: readonly PickleValue[]) => PickleValue
  const rebuild: Call = ([storage, offset, size, stride]) => {
    if (!(storage instanceof StorageHandle)) throw refuse('a tensor has no storage')
    return makeTensor(storage.view, storage.view.storage.dtype, offset, size, stride, refuse)
  }
  const rebuildTyped: Call = ([storage, offset, size, stride, , , type]) => {
    if (!(storage instanceof StorageHandle)) throw refuse('a tensor has no storage')
    const dtype = type instanceof PickleGlobal ? dtypes[type.name] : undefined
    if (!dtype) throw refuse(`a tensor has the element type ${type instanceof PickleGlobal ? type.name : 'null'}, which is not known here`)
    return makeTensor(storage.view, dtype, offset, size, stride, refuse)
  }
  const parameter: Call = ([tensor = null]) => {
    if (!(tensor instanceof TorchTensor)) throw refuse('a parameter has no tensor')
    return tensor
  }
  let encoded = 0
  const encode: Call = ([text]) => {
    if (typeof text !== 'string') throw refuse('it encodes what is no text')
    encoded += text.length
    if (encoded > maxEncoded) throw refuse(`it encodes more than ${maxEncoded} characters`)
    return new Uint8Array(Buffer.from(text, 'latin1'))
  }
  const itself: Call = ([value = []]) => value // a list, tuple or set of what it is given: all are arrays here
  const device: Call = ([type, index]) => {
    if (typeof type !== 'string') throw refuse('a device has no name')
    return typeof index === 'number' ? `${type}:${index}` : type
  }
  const dictionaries = new WeakMap<PickleValue[], Map<PickleValue, PickleValue>>() // one a list: else a long one could be copied at will
  const dictionary: Call = ([pairs]) => {
    if (!Array.isArray(pairs)) return new Map()
    const known =
      dictionaries.get(pairs) ?? new Map(pairs.map((pair) => (Array.isArray(pair) ? [pair[0] ?? null, pair[1] ?? null] : [pair, null])))
    dictionaries.set(pairs, known)
    return known
  }
  const scalar: Call = ([type, data]) => numpyScalar(type, data, refuse)

  const calls: Readonly<Record<string, Call>> = {
    'collections OrderedDict': dictionary, // Python 2 hands it a list of pairs
    'torch._utils _rebuild_tensor': rebuild,
    'torch._utils _rebuild_tensor_v2': rebuild,
    'torch._utils _rebuild_tensor_v3': rebuildTyped,
    'torch._utils _rebuild_parameter': parameter,
    'torch._utils _rebuild_parameter_with_state': parameter,
    'torch Size': itself,
    'torch device': device,
    'argparse Namespace': () => new InertRecord('argparse.Namespace', false),
    'numpy dtype': ([name]) => new NumpyDtype(typeof name === 'string' ? name : ''),
    'numpy.core.multiarray scalar': scalar,
    'numpy._core.multiarray scalar': scalar,
    '_codecs encode': encode,
  }
  // The same in Python 2 and 3. Numbers are never called by a pickle of protocol 2 and later: they are types that something mentions.
  for (const builtins of ['__builtin__', 'builtins']) {
    const known: Readonly<Record<string, Call | undefined>> = {
      set: itself,
      frozenset: itself,
      list: itself,
      tuple: itself,
      dict: dictionary,
      bytes: ([value = new Uint8Array()]) => value,
      bytearray: ([value = new Uint8Array()]) => (typeof value === 'string' ? encode([value]) : value),
      complex: ([real = 0, imaginary = 0]) => [real, imaginary],
      int: undefined,
      float: undefined,
      bool: undefined,
    }
    for (const [name, call] of Object.entries(known)) Object.assign(calls, { [`${builtins} ${name}`]: call })
  }
  for (const name of modules) Object.assign(calls, { [name]: () => new InertRecord(name.replace(' ', '.'), true) })
  const tags = [...Object.keys(storageDtypes), ...Object.keys(dtypes)].map((name) => [name, undefined] as const)
  return new Map([...Object.entries(calls), ...tags].map(([name, call]) => [name, new PickleGlobal(name, call)]))
}
