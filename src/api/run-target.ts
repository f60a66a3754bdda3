import type { DeviceName } from '../config/train.js'
import { namedTarget, type TargetFacts } from '../methods/target.js'
import type { Addon } from '../native/addon.js'
import type { BatchHandle } from '../native/types.js'
import type { RunConfig } from '../train/run-config.js'
import { findTower } from './latent-target.js'
import { findTokenizer } from './token-target.js'
import type { Tokenizer } from './tokenizer.js'

/** What makes a run's targets, as its options name it: looked at, not loaded yet. */
export interface RunTarget {
  readonly facts: TargetFacts
  open(addon: Addon, device: DeviceName): Promise<TargetMaker>
}

/** A frozen network at work in a run. */
export interface TargetMaker extends AsyncDisposable {
  /** For `config.json`: what a resume knows it by. */
  readonly identity: Pick<RunConfig, 'tokenizer' | 'tower'>
  /** What draws pictures of predictions, where something does. */
  readonly tokenizer?: Tokenizer
  /** The batch with the targets of its second view, as a new handle; the old one stays the caller's. */
  complete(batch: BatchHandle): Promise<BatchHandle>
}

/**
 * Reads what a run must know of what its `target` names; undefined for pixels.
 * @throws {CaeError} ERR_CAE_OPTION for a target that names nothing, ERR_CAE_CHECKPOINT when there is none at that path
 */
export async function findTarget(target: unknown): Promise<RunTarget | undefined> {
  const named = namedTarget(target)
  if (named === undefined) return undefined
  return named.kind === 'tokenizer' ? findTokenizer(named.path) : findTower(named.path)
}
