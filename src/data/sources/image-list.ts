import { readFile } from 'node:fs/promises'
import { dirname, extname, isAbsolute, join } from 'node:path'

import { CaeError } from '../../errors.js'
import { messageOf } from '../../io/output-error.js'
import type { Dataset } from '../dataset.js'
import { PackedStrings } from '../packed-strings.js'
import { tableRows } from './delimited-text.js'
import { numberLabels } from './label-values.js'

export interface ImageListOptions {
  /** Folder that the paths begin at. Default: that of the list. */
  readonly root?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** One line: a path, and what stands beside it. */
type Line = readonly [path: string, label?: string | undefined]

/** What columns are called in the first line of a table. */
const pathNames = ['path', 'file', 'file_name', 'filename', 'filepath', 'file_path', 'image', 'image_path']
const labelNames = ['label', 'class', 'class_name', 'category', 'target']

/**
 * The images that a list names, in its order; a path that is not absolute begins at the list's own folder.
 *
 * - Text (`.txt`): a path a line; a class may follow after a tab, or as a number after a space when every line has one.
 * - Tables (`.csv`, `.tsv`): columns called `path` (`file`, `file_name`, `image`, ...) and `label` (`class`, ...), or without such a first line
 *   the path and then the class.
 *
 * Classes are numbers, or words: these are numbered in the order of their names. A file that is missing is told when it is read.
 * @example
 * const chosen = await imageList('lists/train.csv')
 * @throws {CaeError} ERR_CAE_DATA when the list cannot be read, or is empty
 */
export async function imageList(path: string, options: ImageListOptions = {}): Promise<Dataset> {
  const text = await readFile(path, { encoding: 'utf8', signal: options.signal }).catch((error: unknown) => {
    options.signal?.throwIfAborted()
    throw new CaeError('ERR_CAE_DATA', { what: `cannot read the list: ${messageOf(error)}`, where: path }, { cause: error })
  })
  const lines = linesOf(text.replace(/^\uFEFF/, ''), path)
  const paths = new PackedStrings()
  for (const [name] of lines) paths.push(name)
  if (paths.length === 0) throw new CaeError('ERR_CAE_DATA', { what: 'the list is empty', where: path })
  const table = numberLabels(lines.map(([, label]) => label))
  const root = options.root ?? dirname(path)
  const at = (index: number): string => {
    const name = paths.at(index)
    if (name === undefined) throw new CaeError('ERR_CAE_DATA', { what: `image ${index} asked of a set of ${paths.length}` })
    return isAbsolute(name) ? name : join(root, name)
  }
  return {
    length: paths.length,
    get: at,
    name: at,
    ...(table && { label: (index: number) => (table.labels[index] === -1 ? undefined : table.labels[index]) }),
    ...(table?.classes && { classes: table.classes }),
  }
}

function linesOf(text: string, path: string): readonly Line[] {
  const kind = extname(path).toLowerCase()
  try {
    if (kind === '.csv') return tableLines([...tableRows(text, ',')])
    if (kind === '.tsv') return tableLines([...tableRows(text, '\t')])
  } catch (error) {
    throw new CaeError('ERR_CAE_DATA', { what: `the table is damaged: ${messageOf(error)}`, where: path })
  }
  return textLines(text)
}

function tableLines(rows: readonly (readonly string[])[]): readonly Line[] {
  const head = rows[0]?.map((name) => name.trim().toLowerCase()) ?? []
  const pathColumn = head.findIndex((name) => pathNames.includes(name))
  if (pathColumn < 0) return rows.map(([path = '', label]) => [path, label])
  const labelColumn = head.findIndex((name) => labelNames.includes(name))
  return rows.slice(1).map((row) => [row[pathColumn] ?? '', row[labelColumn]])
}

function textLines(text: string): readonly Line[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  if (lines.some((line) => line.includes('\t'))) {
    return lines.map((line) => {
      const [path = '', label] = line.split('\t')
      return [path, label]
    })
  }
  // `name 12`, as ImageNet's lists have it. Names with spaces are left alone, so that every line must have the number.
  const numbered = lines.flatMap((line): Line[] => {
    const [, path, label] = /^(.*\S)\s+(\d+)\s*$/.exec(line) ?? []
    return path === undefined ? [] : [[path, label]]
  })
  return numbered.length === lines.length ? numbered : lines.map((line) => [line])
}
