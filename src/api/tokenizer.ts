import type { TokenizerMethodName } from '../methods/registry.js'
import { resolveTokenizer, type TokenizerConfig, type TokenizerInput } from '../methods/resolve.js'
import type { F32Tensor, Hyper, I32Tensor, TensorInfo } from '../native/types.js'
import type { LoadOptions } from './encoder.js'
import type { CreateOptions, ForwardOptions } from './model.js'
import { assertWhole, attachModel, createNativeModel, type NativeModel } from './native-model.js'
import { type BatchInput, createBatch, type Images } from './tensors.js'
import { saveTokenizer } from './tokenizer-file.js'
import { createNativeTokenizer, requireTokenizer } from './tokenizer-source.js'
import {
  filled,
  type LoadReport,
  type LoadWeightsOptions,
  loadSource,
  loadWeights,
  type NamedTensors,
  readWeights,
  tensorsOf,
} from './weights.js'

/** Images beside what a tokenizer makes of their ids. */
export interface TokenizerReconstruction {
  /** `[B, 3, H, W]` in [0, 1]. */
  readonly images: F32Tensor
  /** `[B, 3, H, W]` in [0, 1]. */
  readonly original: F32Tensor
  /** `[B, h, w]`. */
  readonly ids: I32Tensor
  /** Mean squared error over all pixels. */
  readonly mse: number
  /** Peak signal-to-noise ratio over all pixels, in dB: `10 log10(1 / mse)`. */
  readonly psnr: number
}

/**
 * A discrete variational auto-encoder: images to a grid of ids of a codebook, and ids to images (DALL-E's, Ramesh et al. 2021, or the light
 * one of BEiT). Ids are computed in fp32 by the average of the weights over training, where it was kept.
 * @example
 * await using tokenizer = await Tokenizer.load('runs/tokenizer')
 * const ids = await tokenizer.encode('cat.jpg') // [1, h, w]
 * const images = await tokenizer.decode(ids) // [1, 3, H, W] in [0, 1]
 */
export class Tokenizer implements AsyncDisposable {
  readonly #native: NativeModel<TokenizerConfig>

  /** Use `Tokenizer.create` or `Tokenizer.load`. */
  constructor(native: NativeModel<TokenizerConfig>) {
    this.#native = native
    attachModel(this, native)
  }

  /**
   * A tokenizer with fresh weights.
   * @param config a preset's name, or options over a preset, which says what kind of network it is; default 'dvae-nano'
   * @throws {CaeError} ERR_CAE_OPTION, ERR_CAE_DEVICE, ERR_CAE_NO_LIBTORCH
   */
  static async create(config: TokenizerInput = {}, { seed = 0, device = 'auto' }: CreateOptions = {}): Promise<Tokenizer> {
    const resolved = resolveTokenizer(config)
    return new Tokenizer(await createNativeModel(resolved.config, { method: resolved.method, device, seed }))
  }

  /**
   * The tokenizer of a run, a checkpoint folder or a weights file that `save` wrote; or one that others have trained: DALL-E's, as a folder with
   * `encoder.pkl` and `decoder.pkl` or as `encoder.pkl` alone, which makes ids but no images; or a checkpoint of the light one in the code of
   * lucidrains/DALLE-pytorch or of BEiT. All of it is there, or it is refused. Nothing in a pickle is ever run.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none, it is damaged, or its tensors are not those of its network
   */
  static async load(path: string, { device = 'auto' }: LoadOptions = {}): Promise<Tokenizer> {
    await using source = await requireTokenizer(path)
    const native = await createNativeTokenizer(source, device)
    return new Tokenizer(await filled(native, source.path, (model) => loadSource(source.weights, model)))
  }

  /** Every option, resolved. */
  get config(): TokenizerConfig {
    return this.#native.config
  }

  /** 'dvae' for DALL-E's network, 'dvae-light' for the light one. */
  get method(): TokenizerMethodName {
    return this.#native.method.name as TokenizerMethodName // made through its registry
  }

  /** Where the tokenizer is: 'cpu' or 'cuda:N'. */
  get device(): string {
    return this.#native.device
  }

  /** Every tensor of a checkpoint; the average's begin with `average.`. */
  get tensors(): readonly TensorInfo[] {
    return tensorsOf(this.#native)
  }

  /**
   * Token ids of images: at every place the most probable code, the lowest of equals.
   * @param images a tensor of any size that the grid divides, or images, which are brought to `config.imageSize`
   * @returns `[B, h, w]`, whose rows in raster order are ids from 0 to `vocabSize - 1`
   * @throws {CaeError} ERR_CAE_SHAPE, ERR_CAE_BAD_IMAGE, ERR_CAE_DISPOSED
   */
  async encode(images: Images): Promise<I32Tensor> {
    const { addon, handle, input } = this.#native
    return handle.use(async (model) => {
      await using batch = await createBatch(addon, { images }, input)
      return await addon.tokenizerEncode(model, batch.get())
    })
  }

  /**
   * Images of ids.
   * @param ids `[B, h, w]`, of any height and width
   * @returns `[B, 3, H, W]` in [0, 1]
   * @throws {CaeError} ERR_CAE_SHAPE for an id that is not in the codebook, ERR_CAE_CHECKPOINT where the tokenizer has its encoder alone,
   *   ERR_CAE_DISPOSED
   */
  async decode(ids: I32Tensor): Promise<F32Tensor> {
    assertWhole(this.#native)
    return this.#native.handle.use((model) => this.#native.addon.tokenizerDecode(model, ids))
  }

  /** `encode`, then `decode`, beside the images as they went in. @throws {CaeError} as `encode` and `decode` */
  async reconstruct(images: Images): Promise<TokenizerReconstruction> {
    assertWhole(this.#native)
    const { addon, handle, input } = this.#native
    return handle.use(async (model) => {
      await using batch = await createBatch(addon, { images }, input)
      const { images: made, original, ids, pixel_mse: errors } = await addon.tokenizerMeasure(model, batch.get())
      const mse = errors.data.reduce((sum, error) => sum + error, 0) / errors.data.length
      return { images: made, original, ids, mse, psnr: 10 * Math.log10(1 / mse) }
    })
  }

  /**
   * The training losses of a batch by the trained weights, not their average, and everything on the way when asked: `out/loss`, `out/logits`
   * `[B, V, h, w]`, `mid/soft_one_hot`, `mid/fit_map`, `mid/kl_map`, ...; without `noise` and `dropPath: true` no noise is added.
   * @param options.schedule `{ tau }`, with DALL-E's network `{ tau, beta }`
   * @throws {CaeError} ERR_CAE_SHAPE when the tensors do not fit the model or each other, ERR_CAE_OPTION for a schedule with other names
   */
  async forward(
    batch: Pick<BatchInput, 'images' | 'noise'>,
    options: ForwardOptions & Pick<Hyper, 'schedule'>,
  ): Promise<Record<string, F32Tensor>> {
    assertWhole(this.#native)
    const { addon, handle, input } = this.#native
    const { intermediates = false, gradients = false, dropPath = false, seed = 0, step = 0, schedule } = options
    return handle.use(async (model) => {
      await using made = await createBatch(addon, batch, input)
      return await addon.modelForward(model, made.get(), { intermediates, gradients, dropPath, seed, step, schedule })
    })
  }

  /**
   * Takes over weights: a run, a checkpoint folder, a safetensors file, or tensors by name. An average that they lack starts as the weights.
   * @returns what became of every tensor
   * @throws {CaeError} ERR_CAE_CHECKPOINT naming the tensors that are missing, unknown or of another shape
   */
  loadWeights(weights: string | NamedTensors, options: LoadWeightsOptions = {}): Promise<LoadReport> {
    return loadWeights(weights, this.#native, options)
  }

  /**
   * Copies of weights by name; all of them unless names are given.
   * @throws {CaeError} ERR_CAE_CHECKPOINT when the tokenizer has no tensor of a name
   */
  async weights(names?: readonly string[]): Promise<Record<string, F32Tensor>> {
    return readWeights(this.#native, names)
  }

  /**
   * Writes configuration and weights as one safetensors file, whole or not at all: what gives ids, under the names of its checkpoints. Where an
   * average of the weights was kept, the file has the average alone.
   * @throws {CaeError} ERR_CAE_OUTPUT
   */
  save(path: string): Promise<void> {
    return saveTokenizer(path, this.#native)
  }

  /** Waits for work in flight and frees the native memory; later calls fail with ERR_CAE_DISPOSED. May be called twice. */
  dispose(): Promise<void> {
    return this.#native.handle.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}
