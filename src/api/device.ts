import type { DeviceName } from '../config/train.js'
import { CaeError } from '../errors.js'
import type { Addon } from '../native/addon.js'
import { resolveDevice } from './native-model.js'

/**
 * The device that a `device` option means here: 'auto' is the first CUDA device, else the CPU.
 * @throws {CaeError} ERR_CAE_DEVICE when a CUDA device is asked for that this build or machine does not have
 */
export function chooseDevice(addon: Addon, wanted: DeviceName): string {
  const device = resolveDevice(addon, wanted)
  if (device === 'cpu') return device
  const { cuda, cudaDevices, libtorch } = addon.version()
  if (cuda && Number(device.split(':')[1]) < cudaDevices) return device
  const found = cudaDevices > 0 ? `there are cuda:0 to cuda:${cudaDevices - 1}` : 'no CUDA device can be used'
  throw new CaeError('ERR_CAE_DEVICE', {
    what: `device '${wanted}' is not available: ${found}`,
    where: `libtorch ${libtorch}${cuda ? '' : ', a build without CUDA'}`,
    todo: cuda ? "device: 'cpu', or look at the driver with `npx cae-torch doctor`" : "device: 'cpu', or `npx cae-torch setup --cuda`",
  })
}
