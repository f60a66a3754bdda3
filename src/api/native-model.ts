import type { DeviceName } from '../config/train.js'
import { CaeError } from '../errors.js'
import type { MethodName } from '../methods/registry.js'
import { type ModelConfig, nativeModelConfig } from '../methods/resolve.js'
import type { Addon } from '../native/addon.js'
import { NativeHandle } from '../native/handle.js'
import { loadAddon } from '../native/load.js'
import type { ModelHandle } from '../native/types.js'

/** A network on the native side with what its users must know: what the public objects of a model share. */
export interface NativeModel {
  readonly addon: Addon
  readonly handle: NativeHandle<ModelHandle>
  readonly config: ModelConfig
  readonly method: MethodName
  /** 'cpu' or 'cuda:N'. */
  readonly device: string
}

/** How a new model starts. */
export interface NativeModelOptions {
  readonly method: MethodName
  readonly device: DeviceName
  /** Names the draws of the start weights. */
  readonly seed: number
}

/**
 * Makes a network with fresh weights.
 * @throws {CaeError} ERR_CAE_NO_LIBTORCH, ERR_CAE_DEVICE, ERR_CAE_OUT_OF_MEMORY
 */
export async function createNativeModel(config: ModelConfig, { method, device, seed }: NativeModelOptions): Promise<NativeModel> {
  const addon = await loadAddon()
  const name = resolveDevice(addon, device)
  const handle = new NativeHandle(addon, await addon.createModel(nativeModelConfig(config, method), seed, name), 'model')
  return { addon, handle, config, method, device: name }
}

/** 'auto' is the first CUDA device where there is one, else the CPU; every other name stands for itself, and what is not there is an error later. */
export function resolveDevice(addon: Addon, device: DeviceName): string {
  if (device === 'auto') return addon.version().cudaDevices > 0 ? 'cuda:0' : 'cpu'
  return device === 'cuda' ? 'cuda:0' : device
}

const natives = new WeakMap<object, NativeModel>()

/** Lets the package's own functions reach the network behind a public object, which does not show it. */
export function attachNative(owner: object, native: NativeModel): void {
  natives.set(owner, native)
}

/** The network behind a public object. */
export function nativeOf(owner: object): NativeModel {
  const native = natives.get(owner)
  if (native) return native
  throw new CaeError('ERR_CAE_OPTION', {
    what: 'this is not a model or an encoder of this package',
    todo: 'pass what ContextAutoencoder.create, ContextAutoencoder.load or Encoder.load gave',
  })
}
