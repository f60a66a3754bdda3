import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

import type { Dataset, RawImage } from '../data/dataset.js'
import { createDecoder, type DecodeOptions } from '../data/decode.js'
import { CaeError } from '../errors.js'
import { lossCurveFigure, type MetricsPoint } from '../report/figures/loss-curve.js'
import { type Reconstructs, reconstructionFigure } from '../report/figures/reconstruction.js'
import type { Picture } from '../train/pictures.js'

/** The images that a run's pictures show. */
export interface ShownImages {
  readonly dataset: Dataset
  /** Indices into the data set; unreadable images are passed over. */
  readonly indices: ArrayLike<number>
  readonly count: number
  readonly decode: DecodeOptions
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
      const caption = `step ${step}, ${shown.trainedOn ? 'training images' : 'images kept out of training'}`
      return reconstructionFigure({ model, images: await images, seed, caption })
    },
  }
}

/** The losses over the whole run. @param metrics path of `metrics.jsonl` */
export function lossPicture(metrics: string): Picture {
  return { name: 'loss', onlyAtEnd: true, draw: async () => lossCurveFigure(await readPoints(metrics)) }
}

async function decodeSome({ dataset, indices, count, decode }: ShownImages): Promise<RawImage[]> {
  const decoder = await createDecoder(decode)
  const images: RawImage[] = []
  for (let at = 0; at < indices.length && images.length < count; at++) {
    const index = indices[at] ?? 0
    try {
      const opened = await decoder.open(await dataset.get(index), dataset.name?.(index) ?? `#${index}`)
      images.push({ ...(await opened.decode()), channels: 3 })
    } catch {
      // The loader tells of bad images; here the next one does as well.
    }
  }
  if (images.length > 0) return images
  throw new CaeError('ERR_CAE_DATA', { what: `none of the ${indices.length} images for pictures can be read` })
}

async function readPoints(path: string): Promise<MetricsPoint[]> {
  const points: MetricsPoint[] = []
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const { step, ...rest } = JSON.parse(line)
    const metrics = Object.entries(rest).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    points.push({ step, metrics: Object.fromEntries(metrics) })
  }
  return points
}
