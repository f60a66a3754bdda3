import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { Compressors } from 'hyparquet' with { 'resolution-mode': 'import' }

/** What of hyparquet is used. */
export type ParquetLibrary = Pick<
  typeof import('hyparquet', { with: { 'resolution-mode': 'import' }}),
  'parquetMetadata' | 'parquetSchema' | 'parquetRead' | 'readOffsetIndex'
> & { readonly compressors: Compressors }

let library: Promise<ParquetLibrary> | undefined

/** Loaded when the first Parquet file needs it. An ES module, so that only a dynamic import gets at it from CommonJS. */
export function loadParquetLibrary(): Promise<ParquetLibrary> {
  library ??= (async () => {
    const [{ parquetMetadata, parquetRead, parquetSchema, readOffsetIndex }, { compressors }] = await Promise.all([
      import('hyparquet'),
      import('hyparquet-compressors'),
    ])
    // Node's own zlib is native code; for the other codecs those of the library are.
    const own: Compressors = { GZIP: (bytes) => gunzipSync(bytes), BROTLI: (bytes) => brotliDecompressSync(bytes) }
    return { parquetMetadata, parquetRead, parquetSchema, readOffsetIndex, compressors: { ...compressors, ...own } }
  })()
  return library
}
