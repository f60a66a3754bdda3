import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'

import { CaeError } from '../../errors.js'
import { listShards } from './shard-list.js'

/**
 * The Parquet files that names stand for. A folder's are those in it, or in its `data/`, where Hugging Face's repositories have them; when they
 * are of several splits, the user must choose: to train on the test set is nobody's wish.
 * @throws {CaeError} ERR_CAE_DATA when there are none, or of several splits
 */
export async function listParquetFiles(given: string | readonly string[]): Promise<string[]> {
  const names = typeof given === 'string' ? [given] : given
  const lists = await Promise.all(names.map((name) => filesAt(name)))
  return lists.flat()
}

async function filesAt(name: string): Promise<string[]> {
  if (!(await isFolder(name))) return listShards(name, '.parquet')
  const folder = (await isFolder(join(name, 'data'))) ? join(name, 'data') : name
  const files = await listShards(folder, '.parquet')
  const splits = [...new Set(files.map(splitOf))]
  if (splits.length <= 1) return files
  throw new CaeError('ERR_CAE_DATA', {
    what: `the folder holds several splits: ${splits.map((split) => split ?? 'others').join(', ')}`,
    where: folder,
    todo: `choose one: '${join(folder, `${splits.find((split) => split === 'train') ?? splits.find(Boolean)}-*.parquet`)}'`,
  })
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
}

/** `train` of `train-00000-of-00002.parquet`. */
function splitOf(path: string): string | undefined {
  return /^(.+)-\d+-of-\d+\.parquet$/i.exec(basename(path))?.[1]
}
