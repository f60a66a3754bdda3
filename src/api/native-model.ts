import type { DeviceName } from '../config/train.js'
import { CaeError } from '../errors.js'
import type { Method, ModelInput } from '../methods/method.js'
import { declarationOf } from '../methods/registry.js'
import { type ModelConfig, nativeModelConfig } from '../methods/resolve.js'
import type { Addon } from '../native/addon.js'
import { NativeHandle } from '../native/handle.js'
import { loadAddon } from '../native/load.js'
import type { ModelHandle } from '../native/types.js'

/** A network on the native side with what its users must know: what the public objects of a model share. */
export interface NativeModel<Config = ModelConfig> {
  readonly addon: Addon
  readonly handle: NativeHandle<ModelHandle>
  readonly config: Config
  readonly method: Method
  /** What its batches are made of. */
  readonly input: ModelInput
  /** 'cpu' or 'cuda:N'. */
  readonly device: string
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

/** 'auto' is the first CUDA device where there is one, else the CPU; every other name stands for itself, and what is not there is an error later. */
export function resolveDevice(addon: Addon, device: DeviceName): string {
  if (device === 'auto') return addon.version().cudaDevices > 0 ? 'cuda:0' : 'cpu'
  return device === 'cuda' ? 'cuda:0' : device
}

const natives = new WeakMap<object, NativeModel<unknown>>()

/** Lets the package's own functions reach the network behind a public object, which does not show it. */
export function attachNative(owner: object, native: NativeModel<unknown>): void {
  natives.set(owner, native)
}

/** The network behind a public object. */
export function nativeOf<Config = ModelConfig>(owner: object): NativeModel<Config> {
  const native = natives.get(owner)
  if (native) return native as NativeModel<Config> // each public class takes networks of one kind
  throw new CaeError('ERR_CAE_OPTION', {
    what: 'this is not a model or an encoder of this package',
    todo: 'pass what ContextAutoencoder.create, ContextAutoencoder.load or Encoder.load gave',
  })
}
