import type { ColumnMetaData, FileMetaData, SchemaElement } from 'hyparquet' with { 'resolution-mode': 'import' }

import type { ByteSource } from './byte-source.js'
import type { DecodedPages, PageValue } from './decoded-pages.js'
import type { ParquetLibrary } from './parquet-library.js'
import { findPages, type PageTable } from './parquet-pages.js'
import { ReadAhead } from './read-ahead.js'
import { lastNotAbove, Runs } from './runs.js'

/** Where the values of an uncompressed page lie in the file; -1 for null. */
interface ValuePlaces {
  readonly offsets: Float64Array
  readonly lengths: Int32Array
}

/** The column in one row group. Its pages are found when the first is wanted. */
interface Chunk {
  readonly rows: number
  readonly facts: ColumnMetaData
  readonly find: () => Promise<PageTable>
  pages: Promise<PageTable> | undefined
  /** By page, once it was read. */
  readonly places: (ValuePlaces | undefined)[]
}

/** Where the single page of a made-up file begins: after the magic number, since offset 0 means "none". */
const pageStart = 4

/**
 * One column of bytes or text of a Parquet file, read page by page: row groups may have gigabytes. The library decodes each page as a file of
 * one page, so that it never reads more. The places of values in uncompressed pages are kept, and such values then read alone.
 */
export class ParquetColumn {
  readonly #chunks: Runs<Chunk>
  readonly #reader: ReadAhead
  readonly #schema: SchemaElement[]

  /** @param path of the leaf: `['image', 'bytes']` */
  constructor(
    readonly library: ParquetLibrary,
    readonly source: ByteSource,
    metadata: FileMetaData,
    readonly path: readonly string[],
    readonly decoded: DecodedPages,
  ) {
    this.#reader = new ReadAhead(source)
    this.#schema = schemaOf(library, metadata, path)
    const chunks = metadata.row_groups.map((group): Chunk => {
      const rows = Number(group.num_rows)
      const chunk = group.columns.find(({ meta_data }) => meta_data?.path_in_schema.join('\0') === path.join('\0'))
      const facts = chunk?.meta_data
      if (facts === undefined) throw new Error(`a row group lacks the column ${path.join('.')}`)
      return { rows, facts, find: () => findPages(library, source, chunk ?? { file_offset: 0n }, rows), pages: undefined, places: [] }
    })
    this.#chunks = new Runs(chunks, ({ rows }) => rows)
  }

  /** Rows of the file. */
  get length(): number {
    return this.#chunks.length
  }

  async read(row: number, signal?: AbortSignal): Promise<PageValue> {
    const { part: chunk, index, at } = this.#chunks.find(row)
    const pages = await this.#pagesOf(chunk)
    const page = lastNotAbove(pages.firstRows, at)
    const inPage = at - (pages.firstRows[page] ?? 0)
    const places = chunk.places[page]
    if (places !== undefined) {
      const length = places.lengths[inPage] ?? -1
      return length < 0 ? undefined : this.#reader.read(places.offsets[inPage] ?? 0, length, signal)
    }
    const key = `${this.source.name}\0${this.path.join('\0')}\0${index}\0${page}`
    const values = await this.decoded.get(key, () => this.#decode(chunk, pages, page))
    const value = values[inPage]
    return typeof value === 'string' || value === undefined ? value : Buffer.from(value) // a copy: the page must not live as long
  }

  #pagesOf(chunk: Chunk): Promise<PageTable> {
    if (chunk.pages === undefined) {
      chunk.pages = chunk.find()
      chunk.pages.catch(() => (chunk.pages = undefined)) // the next one tries again
    }
    return chunk.pages
  }

  async #decode(chunk: Chunk, pages: PageTable, page: number) {
    const { dictionary } = pages
    const [offset, size] = [pages.offsets[page] ?? 0, pages.sizes[page] ?? 0]
    const rows = (pages.firstRows[page + 1] ?? chunk.rows) - (pages.firstRows[page] ?? 0)
    const bytes = new Uint8Array(dictionary.size + size)
    if (dictionary.size > 0) bytes.set(await this.source.read(dictionary.offset, dictionary.size))
    bytes.set(await this.#reader.read(offset, size), dictionary.size)
    const values = await this.#decodeBytes(chunk, bytes, rows)
    if (chunk.facts.codec === 'UNCOMPRESSED') {
      chunk.places[page] = placesOf(values, bytes, (at) => (at < dictionary.size ? dictionary.offset + at : offset + at - dictionary.size))
    }
    return { values, bytes: values.reduce((sum, value) => sum + (value?.length ?? 0), 0) }
  }

  /** Gives the library a file of one row group with one page. */
  async #decodeBytes(chunk: Chunk, bytes: Uint8Array<ArrayBuffer>, rows: number): Promise<PageValue[]> {
    const { dictionary_page_offset: _, ...facts } = chunk.facts
    const meta = { ...facts, data_page_offset: BigInt(pageStart), total_compressed_size: BigInt(bytes.length), num_values: BigInt(rows) }
    const group = { columns: [{ file_offset: 0n, meta_data: meta }], total_byte_size: BigInt(bytes.length), num_rows: BigInt(rows) }
    const metadata: FileMetaData = { version: 2, schema: this.#schema, num_rows: BigInt(rows), row_groups: [group], metadata_length: 0 }
    const whole = (from: number, to = pageStart + bytes.length) => from === pageStart && to === pageStart + bytes.length
    const file = {
      byteLength: pageStart + bytes.length,
      slice: (from: number, to?: number) =>
        whole(from, to) ? bytes.buffer : bytes.buffer.slice(from - pageStart, to === undefined ? undefined : to - pageStart),
    }
    let found: unknown[][] = []
    await this.library.parquetRead({
      file,
      metadata,
      compressors: this.library.compressors,
      utf8: false,
      rowFormat: 'array',
      onComplete: (all) => (found = all),
    })
    if (found.length !== rows) throw new Error(`${this.source.name} is damaged: a page has ${found.length} rows, not ${rows}`)
    return found.map(([value]) => leafOf(value, this.path))
  }
}

/** The schema with nothing but the column and the structs around it. */
function schemaOf(library: ParquetLibrary, metadata: FileMetaData, path: readonly string[]): SchemaElement[] {
  let node = library.parquetSchema(metadata)
  const elements: SchemaElement[] = [{ ...node.element, num_children: 1 }]
  for (const name of path) {
    const child = node.children.find(({ element }) => element.name === name)
    if (child === undefined) throw new Error(`there is no column ${path.join('.')}`)
    node = child
    elements.push(child.children.length > 0 ? { ...child.element, num_children: 1 } : child.element)
  }
  return elements
}

/** A value out of the structs around it, any of which may be null. */
function leafOf(value: unknown, path: readonly string[]): PageValue {
  let inner = value
  for (const name of path.slice(1))
    inner = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[name] : undefined
  return inner instanceof Uint8Array || typeof inner === 'string' ? inner : undefined
}

/** Undefined where a value was not cut from the page: it was put together. */
function placesOf(values: readonly PageValue[], bytes: Uint8Array, inFile: (at: number) => number): ValuePlaces | undefined {
  const offsets = new Float64Array(values.length)
  const lengths = new Int32Array(values.length).fill(-1)
  for (const [at, value] of values.entries()) {
    if (value === undefined) continue
    if (typeof value === 'string' || value.buffer !== bytes.buffer) return undefined
    offsets[at] = inFile(value.byteOffset)
    lengths[at] = value.length
  }
  return { offsets, lengths }
}
