import type { FileMetaData, SchemaTree } from 'hyparquet' with { 'resolution-mode': 'import' }

import { type ByteSource, badSource } from './byte-source.js'

/** Which columns of a Parquet file hold images and classes. */
export interface ImageColumns {
  /** Leaf with the encoded images. */
  readonly bytes: readonly string[]
  /** Leaf with their files' names, for rows without bytes. */
  readonly path?: readonly string[] | undefined
  readonly label?: string | undefined
  readonly classes?: readonly string[] | undefined
}

/** A column of a `datasets` data set, as its metadata tells. */
interface Feature {
  readonly _type?: unknown
  readonly names?: unknown
}

/** What a label column is called where no metadata tells. */
const labelNames = ['label', 'labels', 'class', 'target', 'fine_label']

/**
 * Finds images and classes as Hugging Face's `datasets` lays them out (spec/ecosystem.md 5.5): a struct of `bytes` and `path`, and an integer
 * with its names in the file's metadata under `huggingface`. Without that, the first column of such a form, or of bytes.
 * @param wanted columns that the user named; `label: false` for none
 * @throws {CaeError} ERR_CAE_DATA when there is no such column
 */
export function findColumns(
  source: ByteSource,
  metadata: FileMetaData,
  root: SchemaTree,
  wanted: { readonly image?: string | undefined; readonly label?: string | false | undefined },
): ImageColumns {
  const features = featuresOf(metadata)
  const columns = root.children
  const named = (name: string | undefined) => columns.find(({ element }) => element.name === name)
  const ofKind = (type: string) => Object.keys(features).find((name) => features[name]?._type === type)
  const image =
    wanted.image === undefined
      ? (named(ofKind('Image')) ?? columns.find((column) => child(column, 'bytes')) ?? columns.find(isBytes))
      : named(wanted.image)
  if (image === undefined || !(child(image, 'bytes') || isBytes(image))) {
    const names = columns.map(({ element }) => element.name).join(', ')
    const what = wanted.image === undefined ? 'no column of images' : `the column ${wanted.image} is missing, or holds no images`
    throw badSource(source, `${what} among ${names}`, 'parquet(files, { image: "name of the column" })')
  }
  const label = wanted.label === false ? undefined : (wanted.label ?? ofKind('ClassLabel') ?? labelNames.find((name) => named(name)))
  if (label !== undefined && !named(label)) throw badSource(source, `there is no column ${label}`)
  const name = image.element.name
  const classes = label === undefined ? undefined : features[label]?.names
  return {
    bytes: child(image, 'bytes') ? [name, 'bytes'] : [name],
    path: child(image, 'path') ? [name, 'path'] : undefined,
    label,
    classes: Array.isArray(classes) ? classes.map(String) : undefined,
  }
}

function child(column: SchemaTree, name: string): SchemaTree | undefined {
  return column.children.find(({ element }) => element.name === name)
}

function isBytes({ element }: SchemaTree): boolean {
  const isText = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING'
  return element.type === 'BYTE_ARRAY' && !isText && element.repetition_type !== 'REPEATED'
}

function featuresOf(metadata: FileMetaData): Readonly<Record<string, Feature | undefined>> {
  const text = metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value
  try {
    return JSON.parse(text ?? '{}')?.info?.features ?? {}
  } catch {
    return {} // another program's metadata under that name
  }
}
