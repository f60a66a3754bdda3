/** What crosses the border to C++. The functions themselves are in `addon.ts`, generated from native/binding/addon.cpp. */

/** Row-major float32 tensor. */
export interface F32Tensor {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

/** Numbers that lie one after another in an open file, row-major, lowest byte first. */
export interface FileValues {
  /** The open file's; it stays open until they are read. */
  readonly descriptor: number
  /** Of the first byte. */
  readonly position: number
  readonly count: number
  readonly dtype: 'F32' | 'F64' | 'F16' | 'BF16'
  /** For messages. */
  readonly path: string
}

/** Row-major uint8 tensor; booleans are 0 and 1. */
export interface U8Tensor {
  readonly data: Uint8Array
  readonly shape: readonly number[]
}

/** Row-major int32 tensor: token ids, labels. */
export interface I32Tensor {
  readonly data: Int32Array
  readonly shape: readonly number[]
}

/** Images `[B, 3, H, W]`: uint8 raw RGB (normalised natively with the model's mean and std), or float32 already normalised. */
export type ImageTensor = U8Tensor | F32Tensor

declare const handle: unique symbol
/** Opaque native object; freed by `dispose`, or by the garbage collector if that was forgotten. */
interface Handle<Kind extends string> {
  readonly [handle]: Kind
}
export type ModelHandle = Handle<'model'>
export type TrainerHandle = Handle<'trainer'>
export type BatchHandle = Handle<'batch'>
export type LinearProbeHandle = Handle<'linear-probe'>
export type AnyHandle = ModelHandle | TrainerHandle | BatchHandle | LinearProbeHandle

/** Facts about the loaded addon and its libtorch. */
export interface NativeVersion {
  readonly libtorch: string
  readonly libtorchBuiltWith: string
  /** Built with CUDA, whether or not a device is here. */
  readonly cuda: boolean
  readonly cudaDevices: number
  readonly cpuCapability: string
  /** The CPU multiplies bfloat16 matrices in hardware (AVX512-BF16 or AMX). */
  readonly fastBf16: boolean
}

/** What native code holds at this moment: for soak tests and diagnostics. */
export interface NativeUse {
  /** Handles of this thread that were neither disposed nor collected. */
  readonly handles: number
  /** Storages of CPU tensors in the whole process; 0 where the addon was built with AddressSanitizer, which wants malloc's own. */
  readonly cpuTensors: number
  /** Bytes in them. */
  readonly cpuTensorBytes: number
}

/** One named tensor of a model or an optimizer. */
export interface TensorInfo {
  readonly name: string
  readonly shape: readonly number[]
  readonly trainable: boolean
  /** Takes part in weight decay (spec/cae.md 6.2). */
  readonly decay: boolean
}

/** A flat configuration: every value resolved, every key read exactly once in C++. */
export type NativeConfig = Readonly<Record<string, number | boolean | string | readonly number[]>>

/** How `modelForward` runs: like a training step's forward when `dropPath`, else deterministic. */
export interface ForwardOptions {
  readonly intermediates: boolean
  readonly gradients: boolean
  readonly dropPath: boolean
  readonly seed: number
  readonly step: number
  /** This step's values of what the method names as its schedules. */
  readonly schedule: Readonly<Record<string, number>>
}

/** Which hidden patches, on which grid (spec/cae.md 4). */
export interface MaskSpec {
  readonly shape: 'block' | 'random'
  readonly gridHeight: number
  readonly gridWidth: number
  readonly count: number
  readonly minBlock: number
  readonly maxBlock: number
}

/** How decoded pixels become a batch (spec/cae.md 5, spec/downstream.md 2.1 and 3.2). */
export interface CollateSpec {
  readonly seed: number
  readonly epoch: number
  /** Output size in pixels. */
  readonly height: number
  readonly width: number
  /** Size of a second view of the same crop, for the network that makes its targets; 0: none. */
  readonly viewHeight: number
  readonly viewWidth: number
  readonly viewInterpolation: 'bicubic' | 'lanczos'
  /** `random`: 10 tries; `random-one-try`; `center`: short side to `resizeShort`, then the middle; `none`: resize only. */
  readonly crop: 'random' | 'random-one-try' | 'center' | 'none'
  readonly scaleMin: number
  readonly scaleMax: number
  readonly ratioMin: number
  readonly ratioMax: number
  readonly resizeShort: number
  /** Probability of a horizontal flip. */
  readonly flip: number
  readonly interpolation: 'bicubic' | 'bilinear'
  /** Of pixels in [0, 1]. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly mask: MaskSpec | null
}

/** One decoded image on its way into a batch: RGB, rows from the top, 8 bits a channel. */
export interface DecodedSample {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
  /** Key of this sample's random draws. */
  readonly index: number
  /** Class, or -1. */
  readonly label: number
}

/** What changes from step to step. */
export interface Hyper {
  /** 0-based optimizer step: names the random draws. */
  readonly step: number
  readonly lr: number
  readonly weightDecay: number
  /** Largest global gradient norm; 0: no clipping. */
  readonly clipNorm: number
  readonly seed: number
  /** Position of the first sample in the global batch: drop path draws are the same for any number of ranks. */
  readonly firstPosition: number
  /** This step's values of the method's own schedules: a tokenizer's `tau` and `beta`. */
  readonly schedule: Readonly<Record<string, number>>
}

/** Facts about one optimizer step. */
export interface StepMetrics {
  /** `loss`, `loss_main`, `loss_align` (weighted), `grad_norm` (before clipping), `mlm_acc` with token targets, `cosine` with latents. */
  readonly values: Readonly<Record<string, number>>
  /** The loss or a gradient was not finite, and nothing was changed. */
  readonly skipped: boolean
  readonly computeNs: number
}

/** One tensor of a step that was looked at. */
export interface TensorFinding {
  readonly name: string
  /** How many of its numbers are NaN or infinite. */
  readonly nonFinite: number
  /** Magnitude of the others. */
  readonly largest: number
}

/** Where a step stops being finite: activations in the order of the forward pass, weights and gradients in that of the network. */
export interface StepFindings {
  readonly values: StepMetrics['values']
  readonly weights: readonly TensorFinding[]
  readonly activations: readonly TensorFinding[]
  readonly gradients: readonly TensorFinding[]
}

/** How far the features of different images lie apart; NaN where a feature is not finite. */
export interface FeatureSpread {
  /** Standard deviation of the rows' directions, times the root of their width: 1 spread evenly, 0 all alike. */
  readonly std: number
  /** exp(entropy) of the singular values' shares: 1 to the smaller side of the matrix. */
  readonly effectiveRank: number
}

/** How a trainer runs and what its optimizer is (spec/cae.md 6.1). */
export interface NativeTrainConfig {
  readonly precision: 'fp32' | 'bf16'
  readonly beta1: number
  readonly beta2: number
  readonly eps: number
}

/** A batch's tensors, read back; null for what it does not have. */
export interface BatchTensors {
  readonly images: ImageTensor
  readonly mask: U8Tensor | null
  readonly ids: I32Tensor | null
  readonly labels: I32Tensor | null
}

/** Which box of an image a random crop takes (spec/cae.md 5.2). */
export interface CropSpec {
  readonly crop: 'random' | 'random-one-try'
  readonly scaleMin: number
  readonly scaleMax: number
  readonly ratioMin: number
  readonly ratioMax: number
}

/** An encoder's final output, reduced to one vector an image. */
export interface PooledFeatures {
  /** Class token, `[B, D]`. */
  readonly cls: F32Tensor
  /** Mean over the patch tokens, `[B, D]`. */
  readonly avg: F32Tensor
}

/** The `k` nearest rows of a bank for every query, best first. */
export interface Neighbors {
  /** `[queries, k]`, rows of the bank. */
  readonly indices: I32Tensor
  /** `[queries, k]`, dot products. */
  readonly similarities: F32Tensor
}

/** What a tokenizer makes of a batch. */
export interface TokenizerMeasures {
  /** `[B, h, w]`. */
  readonly ids: I32Tensor
  /** `[B, 3, H, W]` in [0, 1], decoded from the ids. */
  readonly images: F32Tensor
  /** `[B, 3, H, W]` in [0, 1]. */
  readonly original: F32Tensor
  /** `[B]`, mean squared error of the pixels. */
  readonly pixel_mse: F32Tensor
  /** `[B]`, the objective's comparison of images decoded from ids. */
  readonly fit: F32Tensor
  /** `[B]`, KL divergence from the uniform prior at a place of the grid, in nats. */
  readonly kl: F32Tensor
  /** `[V]`, mean probability of each code. */
  readonly usage: F32Tensor
}

/** Facts about one step of a linear probe. */
export interface ProbeMetrics {
  readonly loss: number
  /** Share of the batch classified rightly, 0 to 1. */
  readonly accuracy: number
}
