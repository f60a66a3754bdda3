import { CaeError } from '../../errors.js'
import { sha256 } from '../../io/checksum.js'
import { messageOf } from '../../io/output-error.js'
import { userCacheFolder } from '../../setup/cache-folder.js'
import type { Dataset } from '../dataset.js'
import { type ByteSource, type ByteSourceOptions, openByteSources } from './byte-source.js'
import { indexPath, type KeptIndex, readIndex, withChecksum, writeIndex } from './index-file.js'
import { ReadAhead } from './read-ahead.js'
import { Runs } from './runs.js'
import { listShards } from './shard-list.js'
import { indexTar } from './tar-index.js'

export interface WebDatasetOptions extends ByteSourceOptions {
  /** Extension of the images: `'left.jpg'`. Default: the first member of a sample with an image's extension. */
  readonly image?: string | undefined
  /** Folder that the shards' indices are kept in; `false`: nowhere. Default: `tar-index` in the package's cache folder. */
  readonly index?: string | false | undefined
}

/** A data set with what the user should know about how it was read; each note one sentence. */
export type NotedDataset = Dataset & { readonly notes: readonly string[] }

interface Shard {
  readonly source: ByteSource
  readonly reader: ReadAhead
  readonly index: KeptIndex
}

/**
 * The images of WebDataset's tar shards (spec/ecosystem.md 5.5), local or on a web server that answers range requests. Each shard is passed
 * over once, and the places of its images are kept, so that images are had in any order and a run resumes exactly. Labels come from `.cls`.
 * @param shards paths, URLs, patterns or folders: `'shards/x-{000..012}.tar'`
 * @example
 * const photos = await webDataset('https://example.org/photos-{000..127}.tar')
 * @throws {CaeError} ERR_CAE_DATA when a shard is missing, compressed, damaged or breaks WebDataset's rules, or there is no image;
 *   `signal.reason` on abort
 */
export async function webDataset(shards: string | readonly string[], options: WebDatasetOptions = {}): Promise<NotedDataset> {
  const { image, signal, index: kept } = options
  const folder = kept === false ? undefined : (kept ?? userCacheFolder('tar-index'))
  const notes: string[] = []
  const opened = await openByteSources(await listShards(shards, '.tar'), options, async (source): Promise<Shard> => {
    const index = await indexOf(source, folder, image?.toLowerCase(), notes, signal)
    return { source, reader: new ReadAhead(source), index }
  })
  const runs = new Runs(opened, ({ index }) => index.sizes.length)
  if (runs.length === 0) throw noImage(opened, image)
  const missing = opened.reduce((sum, { index }) => sum + index.withoutImage, 0)
  if (missing > 0) notes.push(`${missing} samples of the shards have no image and are left out`)
  const hasLabels = opened.some(({ index }) => index.labels.some((label) => label >= 0))
  return {
    length: runs.length,
    notes,
    fingerprint: sha256(opened.map(({ index }) => index.sha256).join()),
    get(place, abort) {
      const { part, at } = runs.find(place)
      return part.reader.read(part.index.offsets[at] ?? 0, part.index.sizes[at] ?? 0, abort)
    },
    name(place) {
      const { part, at } = runs.find(place)
      return `${part.source.name}/${part.index.names.at(at)}`
    },
    ...(hasLabels && {
      label(place: number) {
        const { part, at } = runs.find(place)
        const label = part.index.labels[at] ?? -1
        return label < 0 ? undefined : label
      },
    }),
  }
}

/** The kept index, or one made now and kept. That it cannot be kept costs time the next time, no more. */
async function indexOf(
  source: ByteSource,
  folder: string | undefined,
  image: string | undefined,
  notes: string[],
  signal: AbortSignal | undefined,
): Promise<KeptIndex> {
  const path = folder === undefined ? undefined : indexPath(folder, source, image)
  const known = path === undefined ? undefined : await readIndex(path, source, image)
  if (known !== undefined) return known
  const index = withChecksum(await indexTar(source, image, signal))
  if (path !== undefined) {
    await writeIndex(path, source, image, index).catch((error: unknown) => {
      if (notes.length === 0)
        notes.push(`the index of ${source.name} cannot be kept, and will be made anew: ${messageOf(error).split('\n')[0]}`)
    })
  }
  return index
}

function noImage(shards: readonly Shard[], image: string | undefined): CaeError {
  const samples = shards.reduce((sum, { index }) => sum + index.withoutImage, 0)
  const [first] = shards
  return new CaeError('ERR_CAE_DATA', {
    what: `no image in the shards: ${samples} samples without a member ${image === undefined ? 'that is an image by its extension' : `.${image}`}`,
    where: shards.length === 1 ? first?.source.name : `${first?.source.name} and ${shards.length - 1} more`,
    todo: 'name the extension of the images: webDataset(shards, { image: "jpg" })',
  })
}
