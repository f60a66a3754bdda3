import type { VitConfig } from '../config/architecture.js'
import type { DeviceName } from '../config/train.js'
import { CaeError } from '../errors.js'
import { encoderAlone } from '../import/own-file.js'
import type { Method, ModelInput } from '../methods/method.js'
import { declarationOf, type MethodName } from '../methods/registry.js'
import { encoderConfig, type ModelConfig, nativeModelConfig } from '../methods/resolve.js'
import type { Addon } from '../native/addon.js'
import { NativeHandle } from '../native/handle.js'
import { loadAddon } from '../native/load.js'
import type { ModelHandle } from '../native/types.js'

/** A network with an encoder on the native side, with what its users must know. */
export interface NativeEncoder {
  readonly addon: Addon
  readonly handle: NativeHandle<ModelHandle>
  /** The encoder's. */
  readonly config: VitConfig
  /** 'cpu' or 'cuda:N'. */
  readonly device: string
}

/** A whole model on the native side, or a tokenizer: what their public objects share. */
export interface NativeModel<Config = ModelConfig> extends Omit<NativeEncoder, 'config'> {
  readonly config: Config
  readonly method: Method
  /** What its batches are made of. */
  readonly input: ModelInput
  /** Tensors that no weights were ever given for, as of a tokenizer's decoder where a file has the encoder alone. Absent: none. */
  readonly lacking?: Set<string>
}

/** How a new model starts. */
export interface NativeModelOptions {
  /** Name of its method. */
  readonly method: string
  readonly device: DeviceName
  /** Names the draws of the start weights. */
  readonly seed: number
}

/**
 * Makes a network with fresh weights.
 * @throws {CaeError} ERR_CAE_NO_LIBTORCH, ERR_CAE_DEVICE, ERR_CAE_OUT_OF_MEMORY
 */
export async function createNativeModel<Config extends Readonly<Record<string, unknown>>>(
  config: Config,
  { method, device, seed }: NativeModelOptions,
): Promise<NativeModel<Config>> {
  const addon = await loadAddon()
  const name = resolveDevice(addon, device)
  const handle = new NativeHandle(addon, await addon.createModel(nativeModelConfig(config, method), seed, name), 'model')
  const declared = declarationOf(method)
  return { addon, handle, config, method: declared, input: declared.input(config), device: name }
}

/**
 * Makes an encoder alone, for weights that are about to be written: it draws none.
 * @param projectionDim channels of a projection behind it; 0: there is none
 * @throws {CaeError} as `createNativeModel`
 */
export async function createNativeEncoder(config: VitConfig, device: DeviceName, projectionDim = 0): Promise<NativeEncoder> {
  const addon = await loadAddon()
  const name = resolveDevice(addon, device)
  const made = await addon.createModel({ method: encoderAlone, ...config, projectionDim }, 0, name)
  return { addon, handle: new NativeHandle(addon, made, 'encoder'), config, device: name }
}

/** 'auto' is the first CUDA device where there is one, else the CPU; every other name stands for itself, and what is not there is an error later. */
export function resolveDevice(addon: Addon, device: DeviceName): string {
  if (device === 'auto') return addon.version().cudaDevices > 0 ? 'cuda:0' : 'cpu'
  return device === 'cuda' ? 'cuda:0' : device
}

const encoders = new WeakMap<object, NativeEncoder>()
const models = new WeakMap<object, NativeModel<unknown>>()

/** Lets the package's own functions reach the network behind a public object, which does not show it. */
export function attachEncoder(owner: object, native: NativeEncoder): void {
  encoders.set(owner, native)
}

/** As `attachEncoder`, for a whole model or a tokenizer. */
export function attachModel(owner: object, native: NativeModel<unknown>): void {
  models.set(owner, native)
}

/** The encoder behind a public object: an encoder, or a model that has one. */
export function encoderOf(owner: object): NativeEncoder {
  const model = models.get(owner)
  const native = encoders.get(owner) ?? (model?.method.architecture && asEncoder(model as NativeModel))
  if (native) return native
  throw new CaeError('ERR_CAE_OPTION', {
    what: 'this is not a model or an encoder of this package',
    todo: 'pass what ContextAutoencoder.create, ContextAutoencoder.load or Encoder.load gave',
  })
}

/** The whole model behind a public object. */
export function modelOf<Config = ModelConfig>(owner: object): NativeModel<Config> {
  const native = models.get(owner)
  if (native) return native as NativeModel<Config> // each public class takes networks of one kind
  throw new CaeError('ERR_CAE_OPTION', {
    what: 'this is not a model of this package',
    todo: 'pass what ContextAutoencoder.create or ContextAutoencoder.load gave',
  })
}

/**
 * Refuses what needs weights that were never given.
 * @throws {CaeError} ERR_CAE_CHECKPOINT
 */
export function assertWhole({ lacking }: NativeModel<unknown>): void {
  if (!lacking || lacking.size === 0) return
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `this tokenizer has its encoder alone: it makes ids, but no images of them (${lacking.size} tensors were never given)`,
    todo: "Tokenizer.load of a folder with DALL-E's encoder.pkl and decoder.pkl",
  })
}

/** A model's encoder by itself; it shares the weights. */
export function asEncoder({ addon, handle, config, method, device }: NativeModel): NativeEncoder {
  return { addon, handle, device, config: encoderConfig(config, method.name as MethodName) }
}
