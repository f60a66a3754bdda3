import type { NativeHandle } from '../native/handle.js'
import type { BatchHandle } from '../native/types.js'
import { type CodebookPart, codebookFacts } from './codebook-facts.js'
import type { NativeModel } from './native-model.js'
import { decodeSome, type ShownImages } from './run-pictures.js'
import { createBatch } from './tensors.js'
import type { Measuring } from './train.js'

/** Images that a codebook is measured on, as far as they fit into the bytes. */
const mostImages = 256
const mostBytes = 64 << 20
const imagesPerBatch = 32

/** Measures what a tokenizer makes of the images that a run shows, the same ones every time; they stay in memory until it is disposed. */
export function measureTokenizer(native: NativeModel<unknown>, shown: ShownImages): Measuring {
  let batches: Promise<NativeHandle<BatchHandle>[]> | undefined
  return {
    async measure() {
      batches ??= prepare(native, shown)
      const parts: CodebookPart[] = []
      for (const batch of await batches) {
        // Without the images themselves: a part is kept until all are there.
        const { ids, usage, kl, fit, pixel_mse: pixelMse } = await native.addon.tokenizerMeasure(native.handle.get(), batch.get())
        parts.push({ ids: ids.data, usage: usage.data, kl: kl.data, fit: fit.data, pixelMse: pixelMse.data })
      }
      return codebookFacts(parts, native.method.columns[1] ?? 'fit')
    },
    async [Symbol.asyncDispose]() {
      for (const batch of (await batches?.catch(() => [])) ?? []) await batch.dispose()
    },
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
