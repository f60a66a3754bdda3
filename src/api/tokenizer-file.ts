import { writeSafetensors } from '../io/safetensors.js'
import { tensorEntries } from '../io/tensor-entries.js'
import type { TokenizerConfig } from '../methods/resolve.js'
import type { NativeModel } from './native-model.js'
import { tensorsOf, weightsMetadata } from './weights.js'

const average = 'average.'

/** Writes what gives ids: the average of the weights under the weights' own names, or the weights where there is no average. */
export async function saveTokenizer(path: string, model: NativeModel<TokenizerConfig>): Promise<void> {
  const { addon, handle, method, config } = model
  const all = tensorsOf(model)
  const prefix = all.some(({ name }) => name.startsWith(average)) ? average : ''
  const kept = all.filter(({ name }) => name.startsWith(prefix)).map((info) => ({ ...info, name: info.name.slice(prefix.length) }))
  const read = (names: readonly string[]) =>
    addon.modelRead(
      handle.get(),
      names.map((name) => prefix + name),
    )
  await writeSafetensors(path, tensorEntries(kept, read), weightsMetadata({ method, config: { ...config, averageDecay: 0 } }))
}
