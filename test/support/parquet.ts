import { writeFile } from 'node:fs/promises'
import { brotliCompressSync, gzipSync } from 'node:zlib'

/** A table as Hugging Face's `datasets` writes one of images: a struct of bytes and path, a label, and the names in the metadata. */
export interface ImageTable {
  readonly images: readonly ({ readonly bytes: Uint8Array | null; readonly path: string | null } | null)[]
  readonly labels?: readonly (bigint | null)[]
  readonly names?: readonly string[]
}

export interface ParquetLayout {
  readonly codec?: 'UNCOMPRESSED' | 'SNAPPY' | 'GZIP' | 'BROTLI'
  readonly rowGroupSize?: number
  readonly pageSize?: number
  /** Leave out the index of pages, as older writers do. */
  readonly withoutIndex?: boolean
  readonly encoding?: 'PLAIN' | 'RLE_DICTIONARY' | 'DELTA_LENGTH_BYTE_ARRAY' | 'DELTA_BYTE_ARRAY'
}

/** Writes the table with hyparquet-writer. */
export async function writeImageTable(path: string, table: ImageTable, layout: ParquetLayout = {}): Promise<void> {
  const { parquetWriteBuffer } = await import('hyparquet-writer')
  const { codec = 'SNAPPY', rowGroupSize = 100, pageSize = 1 << 20, withoutIndex = false, encoding } = layout
  const { images, labels, names } = table
  const features = {
    image: { _type: 'Image' },
    ...(labels && { label: { _type: 'ClassLabel', ...(names && { names }) } }),
  }
  const options = { offsetIndex: !withoutIndex, ...(encoding && { encoding }) }
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: 'image', data: [...images], ...options },
      ...(labels ? [{ name: 'label', data: [...labels], offsetIndex: !withoutIndex }] : []),
    ],
    schema: [
      { name: 'root', num_children: labels ? 2 : 1 },
      { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      ...(labels ? [{ name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' } as const] : []),
    ],
    codec,
    compressors: { GZIP: (input) => gzipSync(input), BROTLI: (input) => brotliCompressSync(input) },
    rowGroupSize,
    pageSize,
    kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }],
  })
  await writeFile(path, Buffer.from(bytes))
}
