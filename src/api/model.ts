import { maskSpec } from '../config/model.js'
import type { PresetName } from '../config/presets.js'
import { openTensorFile } from '../io/tensor-file.js'
import type { CAEConfig, CAEConfigInput } from '../methods/cae.js'
import { resolveModel } from '../methods/resolve.js'
import type { F32Tensor, TensorInfo } from '../native/types.js'
import { type EncodeOptions, Encoder, type LoadOptions } from './encoder.js'
import { asEncoder, attachModel, createNativeModel, type NativeModel } from './native-model.js'
import { type Reconstruction, type ReconstructOptions, reconstruct } from './reconstruct.js'
import { type BatchInput, createBatch, type Images } from './tensors.js'
import {
  filled,
  findWeights,
  type LoadReport,
  type LoadWeightsOptions,
  loadWeights,
  loadWeightsFile,
  modelOfFile,
  type NamedTensors,
  readWeights,
  saveWeights,
  tensorsOf,
} from './weights.js'

/** How a new model starts. */
export interface CreateOptions extends LoadOptions {
  /** Names the random draws of the start weights: the same seed gives the same weights. Default 0. */
  readonly seed?: number | undefined
}

/** What `forward` gives besides the losses. */
export interface ForwardOptions {
  /** The named tensors on the way: `mid/encoder_block0`, `mid/latent_pred`, ... */
  readonly intermediates?: boolean
  /** The gradient of every trainable tensor: `grad/NAME`. */
  readonly gradients?: boolean
  /** Draw drop path as a training step would; default: the deterministic network. */
  readonly dropPath?: boolean
  /** With `step`, names the draws of drop path and of a mask that is not given. Default 0. */
  readonly seed?: number
  readonly step?: number
}

/**
 * A Context Autoencoder (Chen et al., arXiv 2202.03026): an encoder that only represents, a regressor that predicts what the hidden patches
 * would be represented by, and a decoder that turns that into pixels or tokens.
 * @example
 * await using model = await ContextAutoencoder.load('runs/photos')
 * const { images, psnr } = await model.reconstruct('cat.jpg')
 */
export class ContextAutoencoder implements AsyncDisposable {
  readonly #native: NativeModel

  /** Its encoder alone; shares the weights, and lives as long as the model. */
  readonly encoder: Encoder

  /** Use `ContextAutoencoder.create` or `ContextAutoencoder.load`. */
  constructor(native: NativeModel) {
    this.#native = native
    this.encoder = new Encoder(asEncoder(native), async () => undefined)
    attachModel(this, native)
  }

  /**
   * A model with fresh weights.
   * @param config a preset's name, or options over a preset
   * @throws {CaeError} ERR_CAE_OPTION, ERR_CAE_DEVICE, ERR_CAE_NO_LIBTORCH
   * @example
   * const model = await ContextAutoencoder.create({ preset: 'cae-nano', imageSize: 96 }, { seed: 1 })
   */
  static async create(
    config: PresetName | CAEConfigInput = {},
    { seed = 0, device = 'auto' }: CreateOptions = {},
  ): Promise<ContextAutoencoder> {
    return new ContextAutoencoder(await createNativeModel(resolveModel(config), { method: 'cae', device, seed }))
  }

  /**
   * The model of a run, a checkpoint folder or a weights file that `save` wrote.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none, or it is damaged
   */
  static async load(path: string, { device = 'auto' }: LoadOptions = {}): Promise<ContextAutoencoder> {
    const file = await findWeights(path)
    const { config, method } = await described(file)
    const native = await createNativeModel(config, { method, device, seed: 0 })
    return new ContextAutoencoder(await filled(native, file, (model) => loadWeightsFile(file, model)))
  }

  /** Every option, resolved. */
  get config(): CAEConfig {
    return this.#native.config
  }

  /** Where the model is: 'cpu' or 'cuda:N'. */
  get device(): string {
    return this.#native.device
  }

  /** Every tensor of a checkpoint: name, shape, whether it is trained. */
  get tensors(): readonly TensorInfo[] {
    return tensorsOf(this.#native)
  }

  /** As `encoder.encode`: all patches of the images, `[B, 1 + N, D]`. */
  encode(images: Images, options: EncodeOptions = {}): Promise<F32Tensor> {
    return this.encoder.encode(images, options)
  }

  /** As `encoder.attention`: where the class token looks, `[B, heads, N]`. */
  attention(images: Images): Promise<F32Tensor> {
    return this.encoder.attention(images)
  }

  /**
   * Pictures of what the model knows: of pixels, or of tokens that `options.tokenizer` draws. `path: 'masked'` (default) predicts the hidden patches from the visible
   * ones; `path: 'full'` sends all patches through the encoder and straight into the decoder, which works only as far as the alignment holds.
   * @throws {CaeError} ERR_CAE_OPTION when the model predicts tokens and no tokenizer is given, when it predicts latents, or its targets are
   *   normalised patch by patch; ERR_CAE_SHAPE, ERR_CAE_BAD_IMAGE
   */
  reconstruct(images: Images, options: ReconstructOptions = {}): Promise<Reconstruction> {
    return reconstruct(this.#native, images, options)
  }

  /**
   * The pre-training losses of a batch, and everything on the way when asked: `out/loss`, `out/loss_main`, `out/loss_align_weighted` (the weight
   * is in it), `out/logits` `[B * Nm, K]`, `out/mlm_acc` with token targets. With latents `out/cosine` and, in the order class token, visible,
   * hidden patches, `out/normalised` and `out/labels_normalised`: what is predicted and what is wanted, `[B, 1 + N, C]` of length 1.
   * @throws {CaeError} ERR_CAE_SHAPE when the tensors do not fit the model or each other
   */
  async forward(batch: BatchInput, options: ForwardOptions = {}): Promise<Record<string, F32Tensor>> {
    const { addon, handle, config } = this.#native
    const { intermediates = false, gradients = false, dropPath = false, seed = 0, step = 0 } = options
    const model = handle.get()
    await using made = await createBatch(addon, batch, config, { spec: maskSpec(config), seed, time: step })
    return await addon.modelForward(model, made.get(), { intermediates, gradients, dropPath, seed, step, schedule: {} })
  }

  /**
   * Takes over weights: a run, a checkpoint folder, a file (also one of the authors' own training code or of mmpretrain, as `.pth` or
   * `.safetensors`), or tensors by name. All is checked before anything is changed.
   * @returns what became of every tensor
   * @throws {CaeError} ERR_CAE_CHECKPOINT naming the tensors that are missing, unknown or of another shape
   */
  loadWeights(weights: string | NamedTensors, options: LoadWeightsOptions = {}): Promise<LoadReport> {
    return loadWeights(weights, this.#native, options)
  }

  /**
   * Copies of weights by name; all of them unless names are given.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when the model has no tensor of a name
   */
  async weights(names?: readonly string[]): Promise<Record<string, F32Tensor>> {
    return readWeights(this.#native, names)
  }

  /**
   * Writes configuration and weights as one safetensors file, whole or not at all.
   * @throws {CaeError} ERR_CAE_OUTPUT
   */
  save(path: string): Promise<void> {
    return saveWeights(path, this.#native)
  }

  /** Waits for work in flight and frees the native memory; later calls fail with ERR_CAE_DISPOSED. May be called twice. */
  dispose(): Promise<void> {
    return this.#native.handle.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}

/** The model that a weights file describes. */
async function described(path: string): Promise<ReturnType<typeof modelOfFile>> {
  await using file = await openTensorFile(path)
  return modelOfFile(file)
}
