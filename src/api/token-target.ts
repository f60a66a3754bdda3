import { sha256File } from '../io/checksum.js'
import { openSafetensors } from '../io/safetensors.js'
import { declarationOf } from '../methods/registry.js'
import { modelOf } from './native-model.js'
import type { RunTarget } from './run-target.js'
import { Tokenizer } from './tokenizer.js'
import { findWeights, tokenizerOfFile } from './weights.js'

/**
 * The tokenizer whose ids a run predicts.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none at that path
 */
export async function findTokenizer(path: string): Promise<RunTarget> {
  const file = await findWeights(path)
  await using opened = await openSafetensors(file)
  const { method, config } = tokenizerOfFile(opened)
  const downsampling = declarationOf(method).downsampling?.(config) ?? 1
  const sha256 = await sha256File(file)
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
