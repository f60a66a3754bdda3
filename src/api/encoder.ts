import type { VitConfig } from '../config/architecture.js'
import { type ImportInput, importFields } from '../config/import.js'
import { resolveFields } from '../config/resolve.js'
import type { DeviceName } from '../config/train.js'
import { encoderTensors } from '../import/encoder-tensors.js'
import { openEncoderFile } from '../import/open-encoder.js'
import type { F32Tensor } from '../native/types.js'
import { attachEncoder, createNativeEncoder, type NativeEncoder } from './native-model.js'
import type { Precision } from './precision.js'
import { createBatch, type Images } from './tensors.js'
import { findWeights, tellWarnings } from './weights.js'
import { writeWeights } from './write-weights.js'

/** How a model that was saved comes back. */
export interface LoadOptions {
  /** Default 'auto': the first CUDA device where there is one, else the CPU. */
  readonly device?: DeviceName | undefined
}

/** How an encoder is taken from a file. */
export type LoadEncoderOptions = LoadOptions & ImportInput

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
  readonly #native: NativeEncoder
  readonly #dispose: () => Promise<void>

  /** Use `Encoder.load` or `model.encoder`. */
  constructor(native: NativeEncoder, dispose: () => Promise<void>) {
    this.#native = native
    this.#dispose = dispose
    attachEncoder(this, native)
  }

  /**
   * The encoder of a run, a checkpoint folder or a weights file; or that of a vision transformer which others have trained: CAE, MAE, BEiT,
   * DINO, MoCo v3, DeiT, CLIP or DINOv2, as a `.pth` or `.safetensors` file or a folder of Hugging Face. All of it is there, or none.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none, it is damaged or not known; ERR_CAE_OPTION when an option must be given
   * @example
   * await using mae = await Encoder.load('mae_pretrain_vit_base.pth', { imageSize: 384 })
   */
  static async load(path: string, { device = 'auto', ...given }: LoadEncoderOptions = {}): Promise<Encoder> {
    const options = resolveFields(importFields, [{ values: given }], { otherNames: ['device'] }).values
    await using file = await openEncoderFile(await findWeights(path), options)
    const native = await createNativeEncoder(file.config, device)
    const shapes = encoderTensors(file.config)
    const moves = file.report.matched.map((matched) => ({
      name: `encoder.${matched.name}`,
      shape: shapes.get(matched.name) ?? [],
      locate: () => file.locate(matched),
      read: () => file.read(matched),
    }))
    try {
      tellWarnings(await writeWeights(native, moves), file.path)
    } catch (error) {
      await native.handle.dispose()
      throw error
    }
    return new Encoder(native, () => native.handle.dispose())
  }

  /** Sizes, architecture and normalisation. */
  get config(): VitConfig {
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
