import { dirname, isAbsolute, join } from 'node:path'
import type { FileMetaData } from 'hyparquet' with { 'resolution-mode': 'import' }

import { CaeError } from '../../errors.js'
import { sha256 } from '../../io/checksum.js'
import { messageOf } from '../../io/output-error.js'
import { type ByteSource, type ByteSourceOptions, badSource, isUrl, openByteSources } from './byte-source.js'
import { DecodedPages } from './decoded-pages.js'
import { findColumns, type ImageColumns } from './hugging-face-columns.js'
import { numberLabels } from './label-values.js'
import { ParquetColumn } from './parquet-column.js'
import { listParquetFiles } from './parquet-files.js'
import { loadParquetLibrary, type ParquetLibrary } from './parquet-library.js'
import { Runs } from './runs.js'
import type { NotedDataset } from './web-dataset.js'

export interface ParquetOptions extends ByteSourceOptions {
  /** Column of the images. Default: as the file's metadata says, else the first that looks like one. */
  readonly image?: string | undefined
  /** Column of the classes; `false`: none. Default: as the file's metadata says, else `label` and the like. */
  readonly label?: string | false | undefined
}

interface ParquetFile {
  readonly source: ByteSource
  readonly bytes: ParquetColumn
  readonly path: ParquetColumn | undefined
  readonly columns: ImageColumns
  /** One a row, of whatever type the column has; none where there is no such column. */
  readonly labels: readonly unknown[]
  readonly footer: string
}

/**
 * The images of Parquet files, as Hugging Face's `datasets` writes them (spec/ecosystem.md 5.5): a row an image, in the files' order. Pages are
 * read as they are wanted, never whole files or row groups. Labels and class names are read at the beginning.
 * @param files paths, URLs, patterns or folders: `'data/train-*.parquet'`
 * @example
 * const photos = await parquet('data/train-{00000..00003}-of-00004.parquet')
 * @throws {CaeError} ERR_CAE_DATA when a file is missing, damaged, or without images; `signal.reason` on abort
 */
export async function parquet(files: string | readonly string[], options: ParquetOptions = {}): Promise<NotedDataset> {
  const library = await loadParquetLibrary()
  const decoded = new DecodedPages()
  const opened = await openByteSources(await listParquetFiles(files), options, (source) => openFile(library, source, options, decoded))
  const runs = new Runs(opened, ({ bytes }) => bytes.length)
  const [first] = opened
  if (runs.length === 0) throw new CaeError('ERR_CAE_DATA', { what: 'the Parquet files have no rows', where: first?.source.name })
  for (const { source, columns } of opened) {
    if (JSON.stringify(columns.classes) !== JSON.stringify(first?.columns.classes)) {
      throw badSource(source, `its classes are not those of ${first?.source.name}`)
    }
  }
  const table = opened.every(({ labels, bytes }) => labels.length === bytes.length)
    ? numberLabels(opened.flatMap(({ labels }) => labels))
    : undefined
  const classes = table?.classes ?? (table && first?.columns.classes)
  return {
    length: runs.length,
    notes: [],
    fingerprint: sha256(opened.map(({ footer }) => footer).join()),
    async get(place, signal) {
      const { part, at } = runs.find(place)
      const bytes = await part.bytes.read(at, signal)
      if (bytes instanceof Uint8Array) return bytes
      const path = await part.path?.read(at, signal)
      if (typeof path !== 'string' || path === '') throw new Error(`row ${at} has neither bytes nor a path`)
      if (isUrl(part.source.name)) throw new Error(`row ${at} has no bytes, and its path ${path} is on another machine`)
      return isAbsolute(path) ? path : join(dirname(part.source.name), path)
    },
    name(place) {
      const { part, at } = runs.find(place)
      return `${part.source.name}#${at}`
    },
    ...(table && {
      label(place: number) {
        const label = table.labels[place] ?? -1
        return label < 0 ? undefined : label
      },
    }),
    ...(classes && { classes }),
  }
}

async function openFile(library: ParquetLibrary, source: ByteSource, options: ParquetOptions, decoded: DecodedPages): Promise<ParquetFile> {
  const footer = await readFooter(source, options.signal)
  try {
    const metadata = library.parquetMetadata(footer)
    const columns = findColumns(source, metadata, library.parquetSchema(metadata), options)
    const column = (path: readonly string[]) => new ParquetColumn(library, source, metadata, path, decoded)
    return {
      source,
      columns,
      bytes: column(columns.bytes),
      path: columns.path && column(columns.path),
      labels: columns.label === undefined ? [] : await readLabels(library, source, metadata, columns.label, options.signal),
      footer: sha256(footer),
    }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof CaeError) throw error
    throw new CaeError('ERR_CAE_DATA', { what: `cannot read the Parquet file: ${messageOf(error)}`, where: source.name }, { cause: error })
  }
}

/** At the end of every file: the metadata, its length, and a magic number. */
const tailBytes = 8

/** The metadata with its tail. */
async function readFooter(source: ByteSource, signal: AbortSignal | undefined): Promise<Buffer> {
  const tail = source.size < tailBytes ? undefined : await source.read(source.size - tailBytes, tailBytes, signal)
  if (tail?.toString('latin1', 4) !== 'PAR1') throw badSource(source, 'this is no Parquet file, or it is cut short')
  const length = tail.readUInt32LE(0) + tailBytes
  if (length > source.size) throw badSource(source, 'the Parquet file is damaged: its metadata is longer than it')
  return source.read(source.size - length, length, signal)
}

async function readLabels(
  library: ParquetLibrary,
  source: ByteSource,
  metadata: FileMetaData,
  label: string,
  signal: AbortSignal | undefined,
): Promise<unknown[]> {
  const file = {
    byteLength: source.size,
    async slice(from: number, to = source.size) {
      const bytes = await source.read(from, to - from, signal)
      return Uint8Array.from(bytes).buffer
    },
  }
  let rows: unknown[][] = []
  const { compressors } = library
  await library.parquetRead({ file, metadata, columns: [label], compressors, rowFormat: 'array', onComplete: (all) => (rows = all) })
  return rows.map(([value]) => value)
}
