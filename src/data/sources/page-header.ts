/** What a page of a Parquet column says of itself (parquet.thrift, `PageHeader`). */
export interface PageHeader {
  readonly kind: 'data' | 'dictionary' | 'other'
  /** Bytes of the header itself. */
  readonly headerBytes: number
  /** Bytes of the page after it, as stored. */
  readonly pageBytes: number
  /** Values of a data page; where nothing is repeated there is one a row, nulls among them. */
  readonly values: number
}

/** Kinds of pages by their number. */
const kinds: Readonly<Record<number, PageHeader['kind']>> = { 0: 'data', 2: 'dictionary', 3: 'data' }

/**
 * Reads a page's header, in Thrift's compact protocol.
 * @returns undefined where `bytes` ends before the header does
 * @throws where it is no header
 */
export function readPageHeader(bytes: Uint8Array): PageHeader | undefined {
  try {
    return parse(new CompactReader(bytes))
  } catch (error) {
    if (error instanceof Ended) return undefined
    throw error
  }
}

function parse(reader: CompactReader): PageHeader {
  const fields = reader.struct()
  const [type, pageBytes] = [fields.get(1), fields.get(3)]
  if (typeof type !== 'number' || typeof pageBytes !== 'number' || pageBytes < 0) throw new Error('no page begins here')
  const dataHeader = fields.get(5) ?? fields.get(8) // of version 1, of version 2
  const values = dataHeader instanceof Map ? dataHeader.get(1) : 0
  return { kind: kinds[type] ?? 'other', headerBytes: reader.at, pageBytes, values: typeof values === 'number' ? values : 0 }
}

/** Numbers and structures by field; what else there is in a page's header (statistics) is passed over. */
type Fields = Map<number, number | Fields | undefined>

class Ended extends Error {}

const deepest = 8

class CompactReader {
  at = 0

  constructor(readonly bytes: Uint8Array) {}

  struct(depth = 0): Fields {
    if (depth > deepest) throw new Error('no page begins here')
    const fields: Fields = new Map()
    for (let id = 0; ; ) {
      const head = this.#byte()
      if (head === 0) return fields
      id = head >> 4 === 0 ? this.#zigZag() : id + (head >> 4)
      fields.set(id, this.#value(head & 15, depth))
    }
  }

  #value(type: number, depth: number): number | Fields | undefined {
    switch (type) {
      case 1: // true
      case 2: // false
        return undefined
      case 3: // one byte
        return this.#byte()
      case 4: // 16, 32 and 64 bits
      case 5:
      case 6:
        return this.#zigZag()
      case 7: // a double
        return void this.#skip(8)
      case 8: // bytes
        return void this.#skip(this.#varint())
      case 9: // a list, a set
      case 10:
        return void this.#list(depth)
      case 12:
        return this.struct(depth + 1)
      default:
        throw new Error('no page begins here')
    }
  }

  #list(depth: number): void {
    const head = this.#byte()
    const count = head >> 4 === 15 ? this.#varint() : head >> 4
    const type = head & 15
    for (let item = 0; item < count; item++) {
      if (type <= 2)
        this.#skip(1) // a bool in a list has a byte of its own
      else this.#value(type, depth + 1)
    }
  }

  #zigZag(): number {
    const value = this.#varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  #varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
      if (scale > 2 ** 63) throw new Error('no page begins here')
    }
  }

  #byte(): number {
    const byte = this.bytes[this.at++]
    if (byte === undefined) throw new Ended()
    return byte
  }

  #skip(count: number): void {
    this.at += count
    if (this.at > this.bytes.length) throw new Ended()
  }
}
