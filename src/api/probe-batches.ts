import type { NativeHandle } from '../native/handle.js'
import type { BatchHandle } from '../native/types.js'
import type { NativeModel } from './native-model.js'
import { decodeSome, type ShownImages } from './run-pictures.js'
import { createBatch } from './tensors.js'

/** Images that a model is measured on, as far as they fit into the bytes. */
const mostImages = 256
const mostBytes = 64 << 20
const imagesPerBatch = 32

/** The images that a run is measured on, the same ones every time, in batches without masks. Decoded when first asked for; they stay in memory until it is disposed. */
export class ProbeBatches implements AsyncDisposable {
  private batches: Promise<NativeHandle<BatchHandle>[]> | undefined

  constructor(
    private readonly native: NativeModel<unknown>,
    private readonly shown: ShownImages,
  ) {}

  /** @throws {CaeError} ERR_CAE_DATA when none of the images can be read */
  get(): Promise<readonly NativeHandle<BatchHandle>[]> {
    this.batches ??= prepare(this.native, this.shown)
    return this.batches
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const batch of (await this.batches?.catch(() => [])) ?? []) await batch.dispose()
  }
}

/** Batches of images taken evenly from those shown. */
async function prepare(native: NativeModel<unknown>, shown: ShownImages): Promise<NativeHandle<BatchHandle>[]> {
  const [height, width] = native.input.imageSize
  const count = Math.min(mostImages, Math.max(1, Math.floor(mostBytes / (12 * height * width))), shown.indices.length)
  const batches: NativeHandle<BatchHandle>[] = []
  for (let from = 0; from < count; from += imagesPerBatch) {
    const places = Array.from({ length: Math.min(imagesPerBatch, count - from) }, (_, at) =>
      Math.floor(((from + at) * shown.indices.length) / count),
    )
    const indices = places.map((place) => shown.indices[place] ?? 0)
    const images = await decodeSome({ ...shown, indices, count: indices.length })
    batches.push(await createBatch(native.addon, { images }, native.input))
  }
  return batches
}
