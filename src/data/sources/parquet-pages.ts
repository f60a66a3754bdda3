import type { ColumnChunk } from 'hyparquet' with { 'resolution-mode': 'import' }

import type { ByteSource } from './byte-source.js'
import { readPageHeader } from './page-header.js'
import type { ParquetLibrary } from './parquet-library.js'

/** The pages of one column in one row group. */
export interface PageTable {
  /** First row of each page, from the row group's beginning. */
  readonly firstRows: Float64Array
  /** Where each page's header begins in the file. */
  readonly offsets: Float64Array
  /** Bytes of each page, header included. */
  readonly sizes: Float64Array
  /** The page with the values that others name by number; `size` 0 where there is none. */
  readonly dictionary: { readonly offset: number; readonly size: number }
}

/** Enough for most headers; a longer one is read again. */
const headerBytes = 1024
const longestHeader = 1 << 22

/**
 * Finds the pages of a column chunk without reading them: from its offset index, which newer writers leave, else from page to page.
 * @param rows of the row group
 */
export async function findPages(library: ParquetLibrary, source: ByteSource, chunk: ColumnChunk, rows: number): Promise<PageTable> {
  const { meta_data: facts, offset_index_offset: at, offset_index_length: length } = chunk
  if (facts === undefined) throw new Error(`${source.name} has a column without metadata`)
  const start = Number(facts.dictionary_page_offset || facts.data_page_offset)
  if (at === undefined || !length) return walkPages(source, start, rows)
  const bytes = await source.read(Number(at), length)
  const { page_locations: pages } = library.readOffsetIndex({ view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 })
  const first = Number(pages[0]?.offset ?? start)
  return {
    firstRows: Float64Array.from(pages, (page) => Number(page.first_row_index)),
    offsets: Float64Array.from(pages, (page) => Number(page.offset)),
    sizes: Float64Array.from(pages, (page) => page.compressed_page_size),
    // Some writers have a dictionary without telling where: it is what lies before the first page.
    dictionary: { offset: start, size: Math.max(0, first - start) },
  }
}

async function walkPages(source: ByteSource, start: number, rows: number): Promise<PageTable> {
  const firstRows: number[] = []
  const offsets: number[] = []
  const sizes: number[] = []
  let dictionary = { offset: start, size: 0 }
  for (let at = start, row = 0; row < rows; ) {
    const { kind, headerBytes, pageBytes, values } = await headerAt(source, at)
    const size = headerBytes + pageBytes
    if (kind === 'dictionary') dictionary = { offset: at, size }
    if (kind === 'data') {
      firstRows.push(row)
      offsets.push(at)
      sizes.push(size)
      row += values
    }
    at += size
  }
  return { firstRows: Float64Array.from(firstRows), offsets: Float64Array.from(offsets), sizes: Float64Array.from(sizes), dictionary }
}

async function headerAt(source: ByteSource, at: number) {
  for (let length = headerBytes; length <= longestHeader; length *= 8) {
    const bytes = await source.read(at, Math.max(0, Math.min(length, source.size - at)))
    const header = readPageHeader(bytes)
    if (header !== undefined) return header
    if (bytes.length < length) break
  }
  throw new Error(`${source.name} is damaged: a page at byte ${at} has no end`)
}
