import type { Dataset, RawImage } from '../data/dataset.js'
import { createDecoder, type DecodeOptions } from '../data/decode.js'
import { PixelPool } from '../data/pixel-pool.js'
import { SampleSource } from '../data/sample-source.js'
import { openData } from '../data/sources/registry.js'
import { CaeError } from '../errors.js'
import { lossCurveFigure } from '../report/figures/loss-curve.js'
import { type Reconstructs, reconstructionFigure } from '../report/figures/reconstruction.js'
import { type Tokenizes, tokenizerFigure } from '../report/figures/tokenizer.js'
import { readLosses } from '../report/metrics-points.js'
import type { Picture } from '../train/pictures.js'

/** The images that a run's pictures show. */
export interface ShownImages {
  readonly dataset: Dataset
  /** Indices into the data set; unreadable images are passed over. */
  readonly indices: ArrayLike<number>
  readonly count: number
  readonly decode: DecodeOptions & { /** Seconds that one attempt to read an image may take. */ readonly readTimeout: number }
  readonly signal?: AbortSignal | undefined
  /** The run trains on them: said on the picture. */
  readonly trainedOn: boolean
}

/** What the model makes of a few images, the same ones with the same masks at every step. */
export function reconstructionPicture(model: Reconstructs<readonly RawImage[]>, shown: ShownImages, seed: number): Picture {
  let images: Promise<RawImage[]> | undefined
  return {
    name: 'reconstruction',
    onlyAtEnd: false,
    async draw(step) {
      images ??= decodeSome(shown)
      return reconstructionFigure({ model, images: await images, seed, caption: captionOf(step, shown) })
    },
  }
}

/** What a tokenizer makes of a few images, the same ones at every step. */
export function tokenizerPicture(tokenizer: Tokenizes<readonly RawImage[]>, shown: ShownImages): Picture {
  let images: Promise<RawImage[]> | undefined
  return {
    name: 'reconstruction',
    onlyAtEnd: false,
    async draw(step) {
      images ??= decodeSome(shown)
      return tokenizerFigure({ tokenizer, images: await images, caption: captionOf(step, shown) })
    },
  }
}

function captionOf(step: number, { trainedOn }: ShownImages): string {
  return `step ${step}, ${trainedOn ? 'training images' : 'images kept out of training'}`
}

/** The losses over the whole run. @param metrics path of `metrics.jsonl` */
export function lossPicture(metrics: string): Picture {
  return { name: 'loss', onlyAtEnd: true, draw: async () => lossCurveFigure(await readLosses(metrics)) }
}

/** Images taken evenly from all that are at a path, for a picture. */
export async function chooseImages(data: string, count: number, decode: ShownImages['decode']): Promise<RawImage[]> {
  const dataset = await openData(data)
  return decodeSome({ dataset, indices: Array.from({ length: dataset.length }, (_, at) => at), count, decode, trainedOn: false })
}

/** Spread over the indices, as neighbours in a folder are often alike. An image that cannot be read gives way to another one. */
export async function decodeSome({ dataset, indices, count, decode, signal }: ShownImages): Promise<RawImage[]> {
  const pool = new PixelPool(0)
  const source = new SampleSource({
    dataset,
    decoder: await createDecoder(decode, pool),
    pool,
    cacheSize: 'off',
    imagesInUse: count,
    readTimeout: decode.readTimeout,
    signal: signal ?? new AbortController().signal,
  })
  const images: RawImage[] = []
  for (const place of spreadPlaces(indices.length, count)) {
    if (images.length === count) break
    const index = indices[place] ?? 0
    const image = await source.decode(index, await source.open(index))
    // The loader tells of bad images; here the next one does as well.
    if (!(image instanceof CaeError)) images.push({ ...image, channels: 3 })
  }
  if (images.length > 0) return images
  throw new CaeError('ERR_CAE_DATA', { what: `none of the ${indices.length} images for pictures can be read` })
}

/** Every place below `length` once; the first `count` lie evenly apart. */
function* spreadPlaces(length: number, count: number): Generator<number> {
  const stride = Math.max(1, Math.floor(length / count))
  for (let shift = 0; shift < stride; shift++) {
    for (let place = shift; place < length; place += stride) yield place
  }
}
