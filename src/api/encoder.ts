import type { EncoderConfig } from '../config/model.js'
import type { DeviceName } from '../config/train.js'
import { openSafetensors } from '../io/safetensors.js'
import type { F32Tensor } from '../native/types.js'
import { attachNative, createNativeModel, type NativeModel } from './native-model.js'
import type { Precision } from './precision.js'
import { createBatch, type Images } from './tensors.js'
import { findWeights, loadWeightsFile, modelOfFile } from './weights.js'

/** How a model that was saved comes back. */
export interface LoadOptions {
  /** Default 'auto': the first CUDA device where there is one, else the CPU. */
  readonly device?: DeviceName | undefined
}

/** How images are encoded. */
export interface EncodeOptions {
  /** Number format of the matrix products; default 'fp32'. */
  readonly precision?: Precision | undefined
}

/**
 * The vision transformer that outlives pre-training: what `evaluate` and `embed` take.
 * @example
 * await using encoder = await Encoder.load('runs/photos')
 * const { data, shape } = await encoder.encode('cat.jpg') // [1, 1 + N, D], class token first
 */
export class Encoder implements AsyncDisposable {
  readonly #native: NativeModel
  readonly #dispose: () => Promise<void>

  /** Use `Encoder.load` or `model.encoder`. */
  constructor(native: NativeModel, dispose: () => Promise<void>) {
    this.#native = native
    this.#dispose = dispose
    attachNative(this, native)
  }

  /**
   * The encoder of a run, a checkpoint folder or a weights file.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none, or it is damaged
   */
  static async load(path: string, options: LoadOptions = {}): Promise<Encoder> {
    const file = await findWeights(path)
    const model = await modelFromFile(file, options)
    try {
      await loadWeightsFile(file, model, { select: (name) => name.startsWith('encoder.') })
    } catch (error) {
      await model.handle.dispose()
      throw error
    }
    return new Encoder(model, () => model.handle.dispose())
  }

  /** Sizes, positions and normalisation. */
  get config(): EncoderConfig {
    return this.#native.config
  }

  /**
   * Every token of the last layer, after the final norm.
   * @returns `[B, 1 + N, D]`: class token first, then the patches in raster order
   * @throws {CaeError} ERR_CAE_SHAPE for a tensor of another size, ERR_CAE_BAD_IMAGE, ERR_CAE_DISPOSED
   */
  async encode(images: Images, { precision = 'fp32' }: EncodeOptions = {}): Promise<F32Tensor> {
    const { addon, handle, config } = this.#native
    const model = handle.get()
    await using batch = await createBatch(addon, { images }, config)
    return await addon.modelEncodeBatch(model, batch.get(), precision)
  }

  /**
   * Where the class token looks in the last block.
   * @returns `[B, heads, N]`: the probabilities of the patches; with the class token's own they sum to 1
   * @throws {CaeError} as `encode`
   */
  async attention(images: Images): Promise<F32Tensor> {
    const { addon, handle, config } = this.#native
    const model = handle.get()
    await using batch = await createBatch(addon, { images }, config)
    return await addon.modelAttention(model, batch.get())
  }

  /** Frees the native memory. The encoder of a model lives as long as the model: there this does nothing. */
  dispose(): Promise<void> {
    return this.#dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}

/** Makes the model that a weights file describes, with fresh weights. */
export async function modelFromFile(file: string, { device = 'auto' }: LoadOptions): Promise<NativeModel> {
  await using opened = await openSafetensors(file)
  const { method, config } = modelOfFile(opened)
  return createNativeModel(config, { method, device, seed: 0 })
}
