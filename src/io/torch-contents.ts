import type { Refuse } from './input-file.js'
import { PickleGlobal, type PickleValue } from './pickle.js'
import { TorchTensor } from './torch-tensor.js'
import { InertRecord } from './torch-world.js'

/** What a checkpoint holds beside tensors: numbers, text, settings. Integers beyond 2^53 are bigints. */
export type PlainValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PlainValue[]
  | { readonly [name: string]: PlainValue }

/** A pickle's object, taken apart. */
export interface TorchContents {
  /** By dotted path, such as `model.blocks.0.attn.qkv.weight`; a lone tensor is called `tensor`. In the order of the file. */
  readonly tensors: ReadonlyMap<string, TorchTensor>
  /** All the rest under its own names; what held nothing but tensors is left out. A pickled module's class is its `__class__`. */
  readonly extras: { readonly [name: string]: PlainValue }
}

const maxDepth = 100
const maxNodes = 500_000
const maxTensors = 100_000
const longestName = 1000
/** Of a module's attributes, such as a kernel's height and width. */
const longestSizes = 64

/**
 * Finds the tensors of an object, and makes plain data of the rest.
 * @throws the error of `refuse` when two tensors get one name, or the object is nested too deeply or is too large when laid out: objects
 * that contain themselves, or each other many times over
 */
export function torchContents(root: PickleValue, refuse: Refuse): TorchContents {
  const walk = new Walk(refuse)
  if (root instanceof TorchTensor) return { tensors: new Map([['tensor', root]]), extras: {} }
  const extras = walk.visit(root, '', 0)
  const isRecord = typeof extras === 'object' && extras !== null && !ArrayBuffer.isView(extras)
  return { tensors: walk.tensors, extras: isRecord ? Object.fromEntries(Object.entries(extras)) : {} }
}

class Walk {
  readonly tensors = new Map<string, TorchTensor>()
  private nodes = 0

  constructor(private readonly refuse: Refuse) {}

  /** Notes the tensors in `value`; returns the rest of it, or undefined where there is none. */
  visit(value: PickleValue, name: string, depth: number): PlainValue | undefined {
    this.nodes += 1
    if (this.nodes > maxNodes) throw this.refuse(`it holds more than ${maxNodes} things when laid out`)
    if (depth > maxDepth) throw this.refuse(`it is nested more than ${maxDepth} deep, or contains itself`)
    if (value instanceof TorchTensor) return this.note(value, name)
    if (value instanceof PickleGlobal) return value.name.replace(' ', '.')
    if (value instanceof InertRecord)
      return value.isModule ? this.visitModule(value, name, depth) : this.visitMap(value.attributes, name, depth)
    if (value instanceof Map) return this.visitMap(value, name, depth)
    if (Array.isArray(value)) return this.visitList(value, name, depth)
    return isScalar(value) || value instanceof Uint8Array ? value : undefined
  }

  private note(tensor: TorchTensor, name: string): undefined {
    if (this.tensors.has(name)) throw this.refuse(`two of its tensors are called ${JSON.stringify(name)}`)
    if (this.tensors.size === maxTensors) throw this.refuse(`it holds more than ${maxTensors} tensors`)
    this.tensors.set(name, tensor)
  }

  private visitMap(map: ReadonlyMap<PickleValue, PickleValue>, name: string, depth: number): PlainValue | undefined {
    const rest: [string, PlainValue][] = []
    for (const [key, value] of map) {
      const inside = this.keyText(key)
      const plain = this.visit(value, this.join(name, inside), depth + 1)
      if (plain !== undefined) rest.push([inside, plain])
    }
    return rest.length === 0 && map.size > 0 ? undefined : Object.fromEntries(rest)
  }

  private visitList(list: readonly PickleValue[], name: string, depth: number): PlainValue | undefined {
    const rest = list.map((value, at) => this.visit(value, this.join(name, String(at)), depth + 1))
    if (rest.length > 0 && rest.every((value) => value === undefined)) return undefined
    return rest.map((value) => value ?? null)
  }

  /** A network's part under the names of its state: parameters, buffers that are saved, parts. Its plain attributes are the rest. */
  private visitModule({ attributes, className }: InertRecord, name: string, depth: number): PlainValue {
    const rest: [string, PlainValue][] = [['__class__', className]]
    for (const [key, value] of attributes) {
      if (typeof key !== 'string' || key.startsWith('_')) continue // hooks, and how PyTorch keeps a module
      const isSizes = Array.isArray(value) && value.length <= longestSizes && value.every((item) => typeof item === 'number')
      if (isScalar(value) || isSizes) rest.push([key, isSizes ? [...value] : value])
    }
    const unsaved = attributes.get('_non_persistent_buffers_set')
    const transient = new Set(Array.isArray(unsaved) ? unsaved : [])
    this.nodes += transient.size
    for (const group of ['_parameters', '_buffers', '_modules']) {
      const members = attributes.get(group)
      if (!(members instanceof Map)) continue
      for (const [key, value] of members) {
        if (value === null || (group === '_buffers' && transient.has(key))) continue
        const inside = this.keyText(key)
        const plain = this.visit(value, this.join(name, inside), depth + 1)
        if (plain !== undefined) rest.push([inside, plain])
      }
    }
    return Object.fromEntries(rest)
  }

  private join(name: string, inside: string): string {
    if (name.length + inside.length > longestName) throw this.refuse(`it has a name of more than ${longestName} characters`)
    return name === '' ? inside : `${name}.${inside}`
  }

  private keyText(key: PickleValue): string {
    if (key === null) return 'None'
    if (typeof key !== 'object') return String(key)
    throw this.refuse('it has a dictionary whose keys are neither text nor numbers')
  }
}

function isScalar(value: PickleValue): value is null | boolean | number | bigint | string {
  return value === null || typeof value !== 'object'
}
