import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'

/** Files of equal size made from a folder of photographs. */
export interface PhotoSet {
  readonly width: number
  readonly height: number
  readonly count: number
  readonly quality: number
}

/** Sets of equal photographs are what rates are quoted for: scaled to cover the size, cut at a place that differs from file to file. */
export async function cutPhotos(source: string, target: string, { width, height, count, quality }: PhotoSet): Promise<void> {
  const found = await readdir(source, { recursive: true, encoding: 'utf8' })
  const photos = found.filter((name) => /\.jpe?g$/i.test(name)).sort()
  if (photos.length === 0) throw new RangeError(`${source} holds no JPEG files`)
  const places = ['centre', 'north', 'south', 'east', 'west', 'northeast', 'southeast', 'southwest', 'northwest']
  const folder = join(target, 'photos') // one class, as torchvision's ImageFolder wants it
  await mkdir(folder)
  for (let i = 0; i < count; i++) {
    await sharp(join(source, photos[i % photos.length] ?? ''))
      .resize(width, height, { fit: 'cover', position: places[Math.floor(i / photos.length) % places.length] ?? 'centre' })
      .flop(Math.floor(i / photos.length / places.length) % 2 === 1)
      .jpeg({ quality })
      .toFile(join(folder, `${String(i).padStart(6, '0')}.jpg`))
  }
}
