import type { Refuse } from './input-file.js'
import { NumpyDtype, numpyScalar } from './numpy-scalar.js'
import { PickleGlobal, type PickleObject, type PickleValue } from './pickle.js'
import type { Dtype } from './safetensors-header.js'
import { makeTensor, StorageHandle, TorchTensor } from './torch-tensor.js'

type Call = (args: readonly PickleValue[]) => PickleValue
/** Meanings by name; a name without a call is a mere tag. */
type Calls = Readonly<Record<string, Call | undefined>>

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

/** Element type by the class of its storage. */
export const storageDtypes: Readonly<Record<string, Dtype>> = {
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

/**
 * Every global that a pickle of weights may name, by module and name (spec/baselines.md 9.4). What a call gives is made of its arguments
 * alone, and never a copy of a long one: a pickle can call a thousand times.
 */
export function torchGlobals(refuse: Refuse): ReadonlyMap<string, PickleGlobal> {
  const encode = encoder(refuse)
  const dictionary = dictionaryMaker()
  const scalar: Call = ([type, data]) => numpyScalar(type, data, refuse)
  const moduleCalls = modules.map((name) => [name, () => new InertRecord(name.replace(' ', '.'), true)] as const)
  const calls: Calls = {
    ...Object.fromEntries([...Object.keys(storageDtypes), ...Object.keys(dtypes)].map((name) => [name, undefined])),
    ...tensorCalls(refuse),
    ...Object.fromEntries(moduleCalls),
    'collections OrderedDict': dictionary,
    'torch Size': itself,
    'torch device': ([type = null, index]) => (typeof type === 'string' && typeof index === 'number' ? `${type}:${index}` : type),
    'argparse Namespace': () => new InertRecord('argparse.Namespace', false),
    'numpy dtype': ([name]) => new NumpyDtype(typeof name === 'string' ? name : ''),
    'numpy.core.multiarray scalar': scalar,
    'numpy._core.multiarray scalar': scalar,
    '_codecs encode': encode,
    ...builtinCalls('__builtin__', encode, dictionary), // Python 2
    ...builtinCalls('builtins', encode, dictionary),
  }
  return new Map(Object.entries(calls).map(([name, call]) => [name, new PickleGlobal(name, call)]))
}

function tensorCalls(refuse: Refuse): Calls {
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
  return {
    'torch._utils _rebuild_tensor': rebuild,
    'torch._utils _rebuild_tensor_v2': rebuild,
    'torch._utils _rebuild_tensor_v3': rebuildTyped,
    'torch._utils _rebuild_parameter': parameter,
    'torch._utils _rebuild_parameter_with_state': parameter,
  }
}

/** Numbers are never called in protocol 2 and later: they are types that something mentions. */
function builtinCalls(module: string, encode: Call, dictionary: Call): Calls {
  const calls: Calls = {
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
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [`${module} ${name}`, call]))
}

/** A list, tuple or set of what it is given: all are arrays here. */
const itself: Call = ([value = []]) => value

/** Bytes that were written as text of one character each. */
function encoder(refuse: Refuse): Call {
  let encoded = 0
  return ([text]) => {
    if (typeof text !== 'string') throw refuse('it encodes what is no text')
    encoded += text.length
    if (encoded > maxEncoded) throw refuse(`it encodes more than ${maxEncoded} characters`)
    return new Uint8Array(Buffer.from(text, 'latin1'))
  }
}

/** Empty dictionaries, or such of a list of pairs (Python 2): one a list, however often it is asked for. */
function dictionaryMaker(): Call {
  const made = new WeakMap<PickleValue[], Map<PickleValue, PickleValue>>()
  return ([pairs]) => {
    if (!Array.isArray(pairs)) return new Map()
    const known = made.get(pairs) ?? new Map(pairs.map((pair) => (Array.isArray(pair) ? [pair[0] ?? null, pair[1] ?? null] : [pair, null])))
    made.set(pairs, known)
    return known
  }
}
