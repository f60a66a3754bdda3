import { sha256File } from '../io/checksum.js'
import { declarationOf } from '../methods/registry.js'
import { modelOf } from './native-model.js'
import type { RunTarget } from './run-target.js'
import { Tokenizer } from './tokenizer.js'
import { requireTokenizer } from './tokenizer-source.js'

/**
 * The tokenizer whose ids a run predicts.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none at that path
 */
export async function findTokenizer(path: string): Promise<RunTarget> {
  await using source = await requireTokenizer(path)
  const { method, config } = source
  const downsampling = declarationOf(method).downsampling?.(config) ?? 1
  const sha256 = await sha256File(source.path)
  return {
    facts: { target: 'tokens', vocabSize: config.vocabSize, downsampling },
    async open(addon, device) {
      const tokenizer = await Tokenizer.load(path, { device })
      return {
        identity: { tokenizer: { path, sha256 } },
        tokenizer,
        complete: (batch) => addon.tokenizeBatch(modelOf(tokenizer).handle.get(), batch),
        [Symbol.asyncDispose]: () => tokenizer.dispose(),
      }
    },
  }
}
