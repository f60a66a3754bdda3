import * as proto from '../../io/protobuf.js'
import type { F32Tensor } from '../../native/types.js'

// Field numbers of onnx.proto (ONNX 1.x, IR version 8).
const floatType = 1
const int64Type = 7
const irVersion = 8
/** Has LayerNormalization, and is old enough for the runtimes in use. */
const opset = 17

/** Name of a value that flows through the graph. */
export type Value = string

type Attribute = number | readonly number[] | { readonly float: number }

/** A size: a number, or the name of one that is known at run time. */
type Dim = number | string

/** Builds an ONNX graph node by node; every method gives the name of its result. */
export class OnnxGraph {
  readonly #nodes: proto.Message[] = []
  readonly #initializers: proto.Message[] = []
  readonly #inputs: proto.Message[] = []
  readonly #outputs: proto.Message[] = []
  #named = 0

  input(name: string, shape: readonly Dim[]): Value {
    this.#inputs.push(valueInfo(11, name, shape))
    return name
  }

  /** Declares `value` a result of the graph, under its own name. */
  output(name: string, value: Value, shape: readonly Dim[]): void {
    this.#node('Identity', [value], name, {})
    this.#outputs.push(valueInfo(12, name, shape))
  }

  /** A constant tensor. */
  weight(name: string, { data, shape }: F32Tensor): Value {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    this.#initializers.push(tensor(5, name, floatType, shape, bytes))
    return name
  }

  /** A constant of whole numbers, such as a shape. */
  integers(values: readonly number[]): Value {
    const name = this.#name('shape')
    const data = BigInt64Array.from(values, BigInt)
    this.#initializers.push(tensor(5, name, int64Type, [values.length], new Uint8Array(data.buffer)))
    return name
  }

  /** A constant number. */
  scalar(value: number): Value {
    return this.weight(this.#name('scalar'), { data: Float32Array.of(value), shape: [] })
  }

  /** Any operator with one result. */
  op(type: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return this.#node(type, inputs, this.#name(type), attributes)
  }

  /** An operator with several results. */
  split(value: Value, parts: number, axis: number): Value[] {
    const outputs = Array.from({ length: parts }, () => this.#name('Split'))
    this.#add('Split', [value], outputs, { axis })
    return outputs
  }

  /** The whole file; `metadata` is kept beside the graph. */
  file(o: {
    readonly name: string
    readonly producer: string
    readonly version: string
    readonly metadata: Readonly<Record<string, string>>
  }) {
    return proto.join(
      proto.int(1, irVersion),
      proto.text(2, o.producer),
      proto.text(3, o.version),
      proto.message(7, ...this.#nodes, proto.text(2, o.name), ...this.#initializers, ...this.#inputs, ...this.#outputs),
      proto.message(8, proto.text(1, ''), proto.int(2, opset)),
      ...Object.entries(o.metadata).map(([key, value]) => proto.message(14, proto.text(1, key), proto.text(2, value))),
    )
  }

  #node(type: string, inputs: readonly Value[], output: Value, attributes: Readonly<Record<string, Attribute>>): Value {
    this.#add(type, inputs, [output], attributes)
    return output
  }

  #add(type: string, inputs: readonly Value[], outputs: readonly Value[], attributes: Readonly<Record<string, Attribute>>): void {
    this.#nodes.push(
      proto.message(
        1,
        ...inputs.map((name) => proto.text(1, name)),
        ...outputs.map((name) => proto.text(2, name)),
        proto.text(4, type),
        ...Object.entries(attributes).map(([name, value]) => proto.message(5, proto.text(1, name), attribute(value))),
      ),
    )
  }

  #name(kind: string): Value {
    this.#named += 1
    return `${kind}_${this.#named}`
  }
}

function attribute(value: Attribute): proto.Message {
  if (typeof value === 'number') return proto.join(proto.int(3, value), proto.int(20, 2))
  if ('float' in value) return proto.join(proto.float(2, value.float), proto.int(20, 1))
  return proto.join(...value.map((item) => proto.int(8, item)), proto.int(20, 7))
}

function tensor(field: number, name: string, type: number, shape: readonly number[], data: Uint8Array): proto.Message {
  return proto.message(field, ...shape.map((size) => proto.int(1, size)), proto.int(2, type), proto.text(8, name), proto.bytes(9, data))
}

function valueInfo(field: number, name: string, shape: readonly Dim[]): proto.Message {
  const dims = shape.map((dim) => proto.message(1, typeof dim === 'number' ? proto.int(1, dim) : proto.text(2, dim)))
  return proto.message(field, proto.text(1, name), proto.message(2, proto.message(1, proto.int(1, floatType), proto.message(2, ...dims))))
}
