import type { Addon } from '../native/addon.js'
import type { BatchHandle, Hyper, NativeConfig, NativeTrainConfig } from '../native/types.js'

/** Number format of a run's matrix products. */
export type Precision = NativeTrainConfig['precision']

/** What was chosen, and why, in words for the user. */
export interface PrecisionChoice {
  readonly precision: Precision
  readonly reason: string
}

/**
 * After so long the answer must do: at least one step of each was timed by then. Where that is all, the step is slow because its products are
 * large, and bfloat16 wins by more than what a first step costs besides.
 */
const budgetMs = 1000
const rounds = 4

/** What is needed to try a step without touching the run. */
export interface PrecisionTrial {
  readonly addon: Addon
  readonly config: NativeConfig
  readonly device: string
  readonly optimizer: Omit<NativeTrainConfig, 'precision'>
  /** One part of a step of the run: what goes through the network at once. */
  readonly batch: BatchHandle
  /** The first step's values of the method's schedules. */
  readonly schedule: Hyper['schedule']
  readonly signal?: AbortSignal | undefined
}

/**
 * What `precision: 'auto'` means here. A CPU without bfloat16 products would only emulate them: fp32 without asking. Everywhere else steps of
 * this very model and batch are timed on a copy that is thrown away: for small models conversions can eat up what the products save.
 * @throws `signal.reason` when aborted
 */
export async function choosePrecision(trial: PrecisionTrial): Promise<PrecisionChoice> {
  const isCpu = trial.device === 'cpu'
  if (isCpu && !trial.addon.version().fastBf16) {
    return { precision: 'fp32', reason: 'this CPU has no bfloat16 products (AVX512-BF16 or AMX)' }
  }
  const [fp32, bf16] = await timeSteps(trial)
  const times = `a step takes ${fp32.toFixed(1)} ms in fp32 and ${bf16.toFixed(1)} ms in bf16`
  return { precision: bf16 < fp32 ? 'bf16' : 'fp32', reason: times }
}

/** Shortest step in fp32 and in bf16, in milliseconds. */
async function timeSteps({
  addon,
  config,
  device,
  optimizer,
  batch,
  schedule,
  signal,
}: PrecisionTrial): Promise<[fp32: number, bf16: number]> {
  const best = { fp32: Number.POSITIVE_INFINITY, bf16: Number.POSITIVE_INFINITY }
  const began = performance.now()
  for (const precision of ['fp32', 'bf16'] as const) {
    const model = await addon.createModel(config, 0, device)
    try {
      const trainer = await addon.createTrainer(model, { ...optimizer, precision })
      try {
        for (let round = 0; round < rounds; round++) {
          signal?.throwIfAborted()
          const from = performance.now()
          await addon.step(trainer, [batch], { step: 0, lr: 0, weightDecay: 0, clipNorm: 0, seed: 0, firstPosition: 0, schedule })
          best[precision] = Math.min(best[precision], performance.now() - from)
          const share = precision === 'fp32' ? 0.5 : 1
          if (performance.now() - began > budgetMs * share) break
        }
      } finally {
        await addon.dispose(trainer)
      }
    } finally {
      await addon.dispose(model)
    }
  }
  return [best.fp32, best.bf16]
}
