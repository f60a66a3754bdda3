import type { NativeModel } from './native-model.js'
import { ProbeBatches } from './probe-batches.js'
import type { ShownImages } from './run-pictures.js'
import type { Measuring } from './train.js'

/**
 * Measures how far an encoder tells images apart. The features are means over the patches of whole images, without the class token: no loss of
 * pre-training reaches that one.
 * @returns `feature_std`, 1 where directions are spread evenly and 0 where all are the same (SimSiam, arXiv 2011.10566, 4.1, times the root of
 *   the width); `effective_rank`, from 1 to the smaller of width and number of images (RankMe, arXiv 2210.02885)
 */
export function measureEncoder(native: NativeModel<unknown>, shown: ShownImages): Measuring {
  const { addon, handle } = native
  const probe = new ProbeBatches(native, shown)
  return {
    async measure() {
      const parts = []
      for (const batch of await probe.get()) parts.push((await addon.modelFeatures(handle.get(), batch.get(), 'fp32')).avg)
      const width = parts[0]?.shape[1] ?? 0
      const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0))
      let at = 0
      for (const part of parts) {
        data.set(part.data, at)
        at += part.data.length
      }
      const { std, effectiveRank } = await addon.featureSpread({ data, shape: [data.length / width, width] })
      return { feature_std: std, effective_rank: effectiveRank }
    },
    [Symbol.asyncDispose]: () => probe[Symbol.asyncDispose](),
  }
}
