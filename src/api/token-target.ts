import type { DeviceName } from '../config/train.js'
import { sha256File } from '../io/checksum.js'
import { declarationOf } from '../methods/registry.js'
import { type TokenizerFacts, tokenizerPath } from '../methods/resolve.js'
import type { Addon } from '../native/addon.js'
import type { BatchHandle } from '../native/types.js'
import { modelOf } from './native-model.js'
import { Tokenizer } from './tokenizer.js'
import { requireTokenizer } from './tokenizer-source.js'

/** A tokenizer as a run has it in its options: not loaded yet. */
export interface TokenTarget {
  /** As it was given. */
  readonly path: string
  readonly facts: TokenizerFacts
}

/**
 * Reads what a run must know of the tokenizer that its `target` names.
 * @throws {CaeError} ERR_CAE_OPTION for a target that names none, ERR_CAE_CHECKPOINT when there is none at that path
 */
export async function findTokenTarget(target: unknown): Promise<TokenTarget | undefined> {
  const path = tokenizerPath(target)
  if (path === undefined) return undefined
  await using source = await requireTokenizer(path)
  const { method, config } = source
  const downsampling = declarationOf(method).downsampling?.(config) ?? 1
  return { path, facts: { sha256: await sha256File(source.path), vocabSize: config.vocabSize, downsampling } }
}

/** A tokenizer at work in a run. */
export class BatchTokenizer implements AsyncDisposable {
  private constructor(
    private readonly addon: Addon,
    readonly tokenizer: Tokenizer,
  ) {}

  static async open(addon: Addon, path: string, device: DeviceName): Promise<BatchTokenizer> {
    return new BatchTokenizer(addon, await Tokenizer.load(path, { device }))
  }

  /** The batch with the ids of its second view, as a new handle; the old one stays the caller's. */
  tokenize(batch: BatchHandle): Promise<BatchHandle> {
    return this.addon.tokenizeBatch(modelOf(this.tokenizer).handle.get(), batch)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tokenizer.dispose()
  }
}
