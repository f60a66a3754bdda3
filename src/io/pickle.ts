import type { Refuse } from './input-file.js'
import { PickleBytes, RanOut } from './pickle-bytes.js'

/**
 * What a pickle can hold here. Lists, tuples and sets all come as arrays and dictionaries as maps: nothing that reads them cares, and none of
 * them has to be copied.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleGlobal
  | PickleObject

/** A class or a function that the pickle names. It is a name in a table: nothing is ever imported or run. */
export class PickleGlobal {
  /**
   * @param name module and name, such as `torch._utils _rebuild_tensor_v2`
   * @param call makes what a call of it stands for; absent where it is a mere tag
   */
  constructor(
    readonly name: string,
    readonly call?: (args: readonly PickleValue[]) => PickleValue,
  ) {}
}

/** What a global or a persistent id gives, if it is not plain data. */
export interface PickleObject {
  /** Takes the state that the pickle hands to the object. */
  build(state: PickleValue): void
}

/** What names in a pickle mean. */
export interface PickleWorld {
  /** The global of this name; throws for one that is not allowed, used or not. */
  find(name: string): PickleGlobal
  /** What a persistent id stands for. */
  persistent(id: PickleValue): PickleValue
}

// A tensor takes about 25 opcodes and six containers. An empty map is the dearest thing one byte can ask for: some 200 bytes.
const maxOpcodes = 2_000_000
const maxContainers = 500_000

/**
 * Runs the stack machine of a pickle, protocols 2 to 5, without ever calling what it names (spec/baselines.md 9.3).
 * @param start where the pickle begins in `bytes`
 * @returns its value and where it ends, or undefined when `bytes` end before it does
 * @throws the error of `refuse` for anything that no writer of weights makes, and beyond the limits above
 */
export function readPickle(
  bytes: Buffer,
  start: number,
  world: PickleWorld,
  refuse: Refuse,
): { readonly value: PickleValue; readonly end: number } | undefined {
  const machine = new Machine(new PickleBytes(bytes, start), world, refuse)
  try {
    return { value: machine.run(), end: machine.input.at }
  } catch (error) {
    if (error instanceof RanOut) return undefined
    throw error
  }
}

class Machine {
  private readonly stack: PickleValue[] = []
  /** Heights of the stack where marks stand. */
  private readonly marks: number[] = []
  private readonly memo = new Map<number, PickleValue>()
  private containers = 0

  constructor(
    readonly input: PickleBytes,
    readonly world: PickleWorld,
    readonly refuse: Refuse,
  ) {}

  run(): PickleValue {
    for (let count = 0; count < maxOpcodes; count++) {
      const at = this.input.at
      const opcode = this.input.byte()
      if (opcode === stop) return this.pop()
      const work = opcodes[opcode]
      if (!work) throw this.refuse(`its pickle has the unknown opcode 0x${opcode.toString(16).padStart(2, '0')} at byte ${at}`)
      work(this)
    }
    throw this.refuse(`its pickle takes more than ${maxOpcodes} steps`)
  }

  push(value: PickleValue): void {
    this.stack.push(value)
  }

  /** Pushes a new list, tuple or dictionary. */
  contain(value: PickleValue[] | Map<PickleValue, PickleValue>): void {
    this.containers += 1
    if (this.containers > maxContainers) throw this.refuse(`its pickle makes more than ${maxContainers} lists and dictionaries`)
    this.stack.push(value)
  }

  pop(): PickleValue {
    if (this.stack.length === (this.marks.at(-1) ?? 0)) throw this.refuse('its pickle takes more from the stack than is there')
    return this.stack.pop() as PickleValue
  }

  top(): PickleValue {
    const value = this.pop()
    this.stack.push(value)
    return value
  }

  popList(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse()
  }

  mark(): void {
    this.marks.push(this.stack.length)
  }

  popMark(): PickleValue[] {
    const height = this.marks.pop()
    if (height === undefined) throw this.refuse('its pickle has an end without a mark')
    return this.stack.splice(height)
  }

  append(items: readonly PickleValue[]): void {
    const list = this.top()
    if (!Array.isArray(list)) throw this.refuse('its pickle appends to what is no list')
    for (const item of items) list.push(item)
  }

  set(items: readonly PickleValue[]): void {
    const map = this.top()
    if (!(map instanceof Map) || items.length % 2 > 0) throw this.refuse('its pickle sets items of what is no dictionary')
    for (let at = 0; at < items.length; at += 2) map.set(items[at] as PickleValue, items[at + 1] as PickleValue)
  }

  remember(index = this.memo.size): void {
    this.memo.set(index, this.top())
  }

  recall(index: number): void {
    const value = this.memo.get(index)
    if (value === undefined) throw this.refuse(`its pickle refers to object ${index}, which is not there`)
    this.stack.push(value)
  }

  global(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.refuse('its pickle names a global by what is no text')
    this.stack.push(this.world.find(`${module} ${name}`))
  }

  call(): void {
    const args = this.pop()
    const callee = this.pop()
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) throw this.refuse('its pickle calls what cannot be called')
    if (!callee.call) throw this.refuse(`its pickle calls ${callee.name}, which is no function here`)
    this.stack.push(callee.call(args))
  }

  build(): void {
    const state = this.pop()
    const target = this.top()
    if (target instanceof Map) return // attributes of an OrderedDict, such as _metadata
    if (target === null || typeof target !== 'object' || !('build' in target)) throw this.refuse('its pickle gives a state to plain data')
    target.build(state)
  }
}

const stop = 0x2e
const opcodes: Readonly<Record<number, (m: Machine) => void>> = {
  128: ({ input, refuse }) => {
    const protocol = input.byte()
    if (protocol < 2 || protocol > 5) throw refuse(`its pickle has the protocol ${protocol}, known are 2 to 5`)
  },
  149: (m) => void m.input.length64(m.refuse), // FRAME: a hint for readers of streams

  [code('N')]: (m) => m.push(null),
  136: (m) => m.push(true),
  137: (m) => m.push(false),
  [code('J')]: (m) => m.push(m.input.int32()),
  [code('K')]: (m) => m.push(m.input.byte()),
  [code('M')]: (m) => m.push(m.input.uint16()),
  138: (m) => m.push(m.input.long(m.input.byte(), m.refuse)),
  139: (m) => m.push(m.input.long(m.input.uint32(), m.refuse)),
  [code('G')]: (m) => m.push(m.input.double()),

  [code('X')]: (m) => m.push(m.input.text(m.input.uint32())),
  140: (m) => m.push(m.input.text(m.input.byte())),
  141: (m) => m.push(m.input.text(m.input.length64(m.refuse))),
  [code('U')]: (m) => m.push(m.input.latin1(m.input.byte())), // text of Python 2
  [code('T')]: (m) => m.push(m.input.latin1(m.input.uint32())),
  [code('C')]: (m) => m.push(m.input.bytes(m.input.byte())),
  [code('B')]: (m) => m.push(m.input.bytes(m.input.uint32())),
  142: (m) => m.push(m.input.bytes(m.input.length64(m.refuse))),
  150: (m) => m.push(m.input.bytes(m.input.length64(m.refuse))), // a bytearray

  [code('(')]: (m) => m.mark(),
  [code(')')]: (m) => m.contain([]),
  [code(']')]: (m) => m.contain([]),
  [code('}')]: (m) => m.contain(new Map()),
  143: (m) => m.contain([]), // EMPTY_SET
  [code('t')]: (m) => m.contain(m.popMark()),
  145: (m) => m.contain(m.popMark()), // FROZENSET
  133: (m) => m.contain(m.popList(1)),
  134: (m) => m.contain(m.popList(2)),
  135: (m) => m.contain(m.popList(3)),
  [code('a')]: (m) => m.append(m.popList(1)),
  [code('e')]: (m) => m.append(m.popMark()),
  144: (m) => m.append(m.popMark()), // ADDITEMS
  [code('s')]: (m) => m.set(m.popList(2)),
  [code('u')]: (m) => m.set(m.popMark()),

  [code('q')]: (m) => m.remember(m.input.byte()),
  [code('r')]: (m) => m.remember(m.input.uint32()),
  148: (m) => m.remember(),
  [code('h')]: (m) => m.recall(m.input.byte()),
  [code('j')]: (m) => m.recall(m.input.uint32()),

  [code('c')]: (m) => m.global(m.input.line(m.refuse), m.input.line(m.refuse)),
  147: (m) => {
    const [module = null, name = null] = m.popList(2)
    m.global(module, name)
  },
  [code('Q')]: (m) => m.push(m.world.persistent(m.pop())),
  [code('R')]: (m) => m.call(),
  129: (m) => m.call(), // NEWOBJ: a class instead of a function
  [code('b')]: (m) => m.build(),
}

function code(char: string): number {
  return char.charCodeAt(0)
}
