import { CaeError } from '../errors.js'
import { messageOf } from './output-error.js'

/** Element types of the format and their size in bytes (spec/ecosystem.md 5.6). */
export const dtypeBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
} as const

/** Name of an element type in a safetensors file. */
export type Dtype = keyof typeof dtypeBytes

/** One tensor's entry; `begin` and `end` count bytes from the start of the data, after the header. */
export interface TensorEntry {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

/** A checked header: every entry's bytes lie in the file, once, and are as many as its shape says. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>
  /** In the order of the data. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Offset of the data in the file. */
  readonly dataStart: number
}

/** Longest header that the format allows. */
export const maxHeaderBytes = 100_000_000

/**
 * Checks the JSON header of a safetensors file and reads it.
 * @param json the header's bytes, padding included
 * @param dataBytes how many bytes follow it
 * @param path named in errors
 * @throws {CaeError} ERR_CAE_CHECKPOINT for anything the format forbids, and for an element type not known here
 */
export function parseSafetensorsHeader(json: Uint8Array, dataBytes: number, path: string): SafetensorsHeader {
  const root = parseJsonObject(json, path)
  const metadata = readMetadata(root.__metadata__, path)
  const entries = Object.entries(root)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => readEntry(name, value, path))
    .sort((a, b) => a.begin - b.begin || a.end - b.end)

  let end = 0
  for (const entry of entries) {
    if (entry.begin < end) throw refuse(`the data of ${quote(entry.name)} overlaps that of another tensor`, path)
    if (entry.begin > end) throw refuse(`there is a gap of ${entry.begin - end} bytes before the data of ${quote(entry.name)}`, path)
    if (entry.end > dataBytes) {
      throw refuse(`the data of ${quote(entry.name)} ends at byte ${entry.end}, the file holds ${dataBytes}: it was cut short`, path)
    }
    end = entry.end
  }
  if (end !== dataBytes) throw refuse(`${dataBytes - end} bytes follow the last tensor`, path)
  return { metadata, tensors: new Map(entries.map((entry) => [entry.name, entry])), dataStart: 8 + json.byteLength }
}

/** The error for a file that is not what it should be; `todo` only where there is something to say. */
export function refuse(what: string, path: string, cause?: unknown): CaeError {
  return new CaeError(
    'ERR_CAE_CHECKPOINT',
    { what: `not a usable safetensors file: ${what}`, where: path },
    cause === undefined ? undefined : { cause },
  )
}

function parseJsonObject(json: Uint8Array, path: string): Record<string, unknown> {
  let text: string
  let root: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json)
    if (!text.startsWith('{')) throw new SyntaxError('it does not start with {')
    root = JSON.parse(text)
  } catch (error) {
    throw refuse(`the header is not JSON text (${messageOf(error)})`, path, error)
  }
  if (!isRecord(root)) throw refuse('the header is not a JSON object', path)
  const twice = duplicateKey(text)
  if (twice !== undefined) throw refuse(`the header names ${quote(twice)} twice`, path)
  return root
}

function readMetadata(value: unknown, path: string): Record<string, string> {
  if (value === undefined) return {}
  if (!isRecord(value)) throw refuse('__metadata__ is not an object', path)
  const entries = Object.entries(value).map(([key, text]): [string, string] => {
    if (typeof text !== 'string') throw refuse(`__metadata__.${key} is not a string`, path)
    return [key, text]
  })
  return Object.fromEntries(entries)
}

function readEntry(name: string, value: unknown, path: string): TensorEntry {
  if (!isRecord(value)) throw refuse(`the entry of ${quote(name)} is not an object`, path)
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string') throw refuse(`${quote(name)} has no dtype`, path)
  if (!isDtype(dtype)) throw refuse(`${quote(name)} has the element type ${quote(dtype)}, which is not known here`, path)
  if (!isCounts(shape)) throw refuse(`the shape of ${quote(name)} is not a list of sizes`, path)
  if (!isCounts(offsets) || offsets.length !== 2) throw refuse(`the data_offsets of ${quote(name)} are not two byte counts`, path)
  const [begin = 0, end = 0] = offsets
  if (end < begin) throw refuse(`the data of ${quote(name)} ends before it begins`, path)
  const wanted = elementCount(shape) * dtypeBytes[dtype]
  if (!Number.isSafeInteger(wanted)) throw refuse(`the shape [${shape.join(', ')}] of ${quote(name)} is too large for any file`, path)
  if (end - begin !== wanted) {
    throw refuse(`${quote(name)} [${shape.join(', ')}] ${dtype} takes ${wanted} bytes, its data has ${end - begin}`, path)
  }
  return { name, dtype, shape, begin, end }
}

/** Product of the sizes; not a safe integer when it is too large to be one. A size of 0 anywhere gives 0. */
export function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1)
}

/** `JSON.parse` lets the last of two equal keys win. `json` is known to be valid. */
function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [] // keys of each open object; undefined for an open array
  let keyNext = false
  for (let at = 0; at < json.length; at++) {
    const char = json[at]
    if (char === '"') {
      const end = stringEnd(json, at)
      const keys = open.at(-1)
      if (keyNext && keys) {
        const key: unknown = JSON.parse(json.slice(at, end + 1)) // "\u0061" and "a" are one key
        if (keys.has(String(key))) return String(key)
        keys.add(String(key))
        keyNext = false
      }
      at = end
    } else if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : undefined)
      keyNext = char === '{'
    } else if (char === '}' || char === ']') {
      open.pop()
    } else if (char === ',') {
      keyNext = open.at(-1) !== undefined
    }
  }
  return undefined
}

function stringEnd(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === '\\') at++
    else if (json[at] === '"') return at
  }
  return json.length
}

function isDtype(value: string): value is Dtype {
  return Object.hasOwn(dtypeBytes, value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text)
}
