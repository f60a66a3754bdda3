import type { Input } from '../config/field.js'
import { resolveFields } from '../config/resolve.js'
import { trainerFields } from '../config/train.js'
import { CaeError } from '../errors.js'
import { NativeHandle } from '../native/handle.js'
import type { BatchHandle, F32Tensor, Hyper, StepMetrics, TrainerHandle } from '../native/types.js'
import type { ContextAutoencoder } from './model.js'
import { assertWhole, modelOf, type NativeModel } from './native-model.js'
import type { Precision } from './precision.js'
import { type BatchInput, createBatch, imageCount } from './tensors.js'
import type { Tokenizer } from './tokenizer.js'

/** How a trainer works: AdamW's constants, and what a step uses that is not given its own. */
export type TrainerOptions = Input<typeof trainerFields> & {
  /** Learning rate of steps that are not given one. Default 0.001. */
  readonly lr?: number | undefined
  /** Number format of the matrix products; weights and optimizer are fp32 always. Default 'fp32'. */
  readonly precision?: Precision | undefined
  /** Goes on from here instead of from step 0: what `state` gave. The weights are the model's own matter. */
  readonly state?: TrainerState | undefined
}

/** What a trainer must be given to go on as if it had never stopped. */
export interface TrainerState {
  /** Steps done, skipped ones included: names the random draws. */
  readonly step: number
  /** Optimizer updates made: steps that were not skipped. */
  readonly updates: number
  /** `exp_avg.NAME` and `exp_avg_sq.NAME` of every trainable tensor. */
  readonly tensors: Readonly<Record<string, F32Tensor>>
}

/** What a single step may be given. */
export type StepHyper = Partial<Hyper>

/**
 * The lower half of the training loop, for a loop of your own: forward, backward, clip, update. A model has at most one trainer at a time.
 * @example
 * await using trainer = await Trainer.create(model, { lr: 3e-4 })
 * for await (const images of myBatches) console.log((await trainer.step({ images })).values.loss)
 */
export class Trainer implements AsyncDisposable {
  readonly #native: NativeModel<unknown>
  readonly #handle: NativeHandle<TrainerHandle>
  readonly #defaults: Omit<Hyper, 'step'>
  #step: number

  private constructor(native: NativeModel<unknown>, handle: NativeHandle<TrainerHandle>, defaults: Omit<Hyper, 'step'>, step: number) {
    this.#native = native
    this.#handle = handle
    this.#defaults = defaults
    this.#step = step
  }

  /**
   * Makes a model's trainer.
   * @throws {CaeError} ERR_CAE_OPTION, ERR_CAE_BUSY when the model has a trainer already, ERR_CAE_CHECKPOINT when `state` is of another model
   */
  static async create(model: ContextAutoencoder | Tokenizer, options: TrainerOptions = {}): Promise<Trainer> {
    const { precision = 'fp32', lr = 1e-3, state, ...rest } = options
    const { values } = resolveFields(trainerFields, [{ values: rest }], { otherNames: ['precision', 'lr', 'state'] })
    const native = modelOf<unknown>(model)
    assertWhole(native)
    const { addon } = native
    const { beta1, beta2, eps } = values
    const created = await addon.createTrainer(native.handle.get(), { precision, beta1, beta2, eps })
    const handle = new NativeHandle(addon, created, 'trainer')
    const defaults = { lr, weightDecay: values.weightDecay, clipNorm: values.clipNorm, seed: values.seed, firstPosition: 0, schedule: {} }
    if (state) await restore(handle, state)
    return new Trainer(native, handle, defaults, state?.step ?? 0)
  }

  /**
   * One optimizer step. Several batches are accumulated: their gradients are averaged by size.
   * @param hyper what this step does differently: `lr`, `weightDecay`, ...; `step` renames its random draws and those of the steps that follow;
   *   a tokenizer wants its `schedule` at every step: `{ tau }`, with DALL-E's network `{ tau, beta }`
   * @returns losses, and the gradient norm before clipping; `skipped` when something was not finite and nothing was changed
   * @throws {CaeError} ERR_CAE_SHAPE, ERR_CAE_BAD_IMAGE, ERR_CAE_DISPOSED
   */
  async step(batch: BatchInput | readonly BatchInput[], hyper: StepHyper = {}): Promise<StepMetrics> {
    const { addon, input: wanted } = this.#native
    const inputs = Array.isArray(batch) ? (batch as readonly BatchInput[]) : [batch as BatchInput]
    return this.#handle.use(async (trainer) => {
      const full = { ...this.#defaults, step: this.#step, ...hyper }
      this.#step = full.step + 1
      const made: NativeHandle<BatchHandle>[] = []
      try {
        let first = full.firstPosition
        for (const input of inputs) {
          const draw = wanted.mask ? { spec: wanted.mask, seed: full.seed, time: full.step, first } : undefined
          made.push(await createBatch(addon, input, wanted, draw))
          first += imageCount(input.images)
        }
        const batches = made.map((one) => one.get())
        return await addon.step(trainer, batches, full)
      } finally {
        await Promise.all(made.map((one) => one.dispose()))
      }
    })
  }

  /** Copies of the optimizer's state; with the model's weights it is all that is needed to go on. */
  async state(): Promise<TrainerState> {
    const { addon } = this.#native
    const handle = this.#handle.get()
    const names = addon.trainerTensors(handle).map(({ name }) => name)
    const [tensors, updates] = await Promise.all([addon.trainerRead(handle, names), addon.trainerUpdates(handle)])
    return { step: this.#step, updates, tensors: Object.fromEntries(tensors.map((tensor, i) => [names[i] ?? '', tensor])) }
  }

  /** Waits for a step in flight and frees the optimizer's memory; the model stays. May be called twice. */
  dispose(): Promise<void> {
    return this.#handle.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}

async function restore(handle: NativeHandle<TrainerHandle>, { tensors, updates }: TrainerState): Promise<void> {
  const wanted = handle.addon.trainerTensors(handle.get()).map(({ name }) => name)
  const missing = wanted.filter((name) => tensors[name] === undefined)
  try {
    if (missing.length > 0) {
      throw new CaeError('ERR_CAE_CHECKPOINT', {
        what: `the state lacks ${missing.slice(0, 5).join(', ')}: it is another model's`,
        where: 'state',
      })
    }
    await handle.addon.trainerWrite(handle.get(), Object.keys(tensors), Object.values(tensors), updates)
  } catch (error) {
    await handle.dispose()
    throw error
  }
}
