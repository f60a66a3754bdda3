import { createWriteStream } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { finished } from 'node:stream/promises'
import { pack } from 'tar-stream'

/** Packs images into WebDataset shards of equal length: `000000.jpg` with `000000.cls`, in an order that mixes the classes. */
export async function packShards(
  images: readonly { readonly path: string; readonly label: number }[],
  target: string,
  count: number,
): Promise<void> {
  await mkdir(target)
  for (let shard = 0; shard < count; shard++) {
    const archive = pack()
    const written = finished(archive.pipe(createWriteStream(join(target, `shard-${String(shard).padStart(4, '0')}.tar`))))
    for (let index = shard; index < images.length; index += count) {
      const { path, label } = images[index] ?? { path: '', label: 0 }
      const key = `${String(index).padStart(6, '0')}-${basename(path, extname(path)).replaceAll('.', '-')}`
      archive.entry({ name: `${key}${extname(path)}` }, await readFile(path))
      archive.entry({ name: `${key}.cls` }, String(label))
    }
    archive.finalize()
    await written
  }
}
