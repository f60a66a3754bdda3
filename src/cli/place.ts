import type { Command } from 'commander'
import { placeFields } from '../config/eval.js'
import { placeGroup } from '../config/option-group.js'
import { resolveFields } from '../config/resolve.js'
import type { DeviceName } from '../config/train.js'
import { loadAddon } from '../native/load.js'
import { givenFlags } from './flags.js'

/** Sets up the tensor library as `--threads` says, and tells where `--device` wants the model. */
export async function openPlace(command: Command): Promise<{ readonly device: DeviceName }> {
  const { threads, device } = resolveFields(placeFields, [{ values: givenFlags(command, [placeGroup]) }]).values
  const addon = await loadAddon()
  addon.configure({ threads, deterministic: false })
  return { device }
}
