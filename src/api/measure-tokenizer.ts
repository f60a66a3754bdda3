import { type CodebookPart, codebookFacts } from './codebook-facts.js'
import type { NativeModel } from './native-model.js'
import { ProbeBatches } from './probe-batches.js'
import type { ShownImages } from './run-pictures.js'
import type { Measuring } from './train.js'

/** Measures what a tokenizer makes of the images that a run shows. */
export function measureTokenizer(native: NativeModel<unknown>, shown: ShownImages): Measuring {
  const probe = new ProbeBatches(native, shown)
  return {
    async measure() {
      const parts: CodebookPart[] = []
      for (const batch of await probe.get()) {
        // Without the images themselves: a part is kept until all are there.
        const { ids, usage, kl, fit, pixel_mse: pixelMse } = await native.addon.tokenizerMeasure(native.handle.get(), batch.get())
        parts.push({ ids: ids.data, usage: usage.data, kl: kl.data, fit: fit.data, pixelMse: pixelMse.data })
      }
      return codebookFacts(parts, native.method.columns[1] ?? 'fit')
    },
    [Symbol.asyncDispose]: () => probe[Symbol.asyncDispose](),
  }
}
