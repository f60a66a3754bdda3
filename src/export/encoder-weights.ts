import type { VitConfig } from '../config/architecture.js'
import { optionError } from '../config/resolve.js'
import type { SafetensorsEntry } from '../io/safetensors.js'
import { tensorEntries } from '../io/tensor-entries.js'
import type { F32Tensor } from '../native/types.js'

/** A tensor that is read when its turn comes, so that few are in memory at a time. */
export interface LazyTensor {
  readonly shape: readonly number[]
  read(): Promise<Float32Array>
}

/** An encoder on its way out: its options, and its tensors under the names of a bare encoder (`cls_token`, `blocks.0.attn.q_bias`; spec/cae.md 1.11). */
export interface EncoderWeights {
  readonly config: VitConfig
  readonly tensors: ReadonlyMap<string, LazyTensor>
}

/** How encoders are written for one kind of foreign program. */
export interface EncoderFormat {
  /** @throws {CaeError} ERR_CAE_OPTION for an encoder that the format cannot hold; nothing has been written then */
  check(encoder: EncoderWeights): void
  /** Writes into a folder that is there; gives the files' names. */
  write(encoder: EncoderWeights, folder: string): Promise<readonly string[]>
}

/** What the formats of others have no place for, and the one value that they imply. */
const implied = { relativePositions: 'none', activation: 'gelu', patchBias: true, inputNorm: false, outputNorm: 'tokens' } as const

/** @throws {CaeError} ERR_CAE_OPTION for an encoder whose architecture `format` cannot say */
export function assertPlain({ config }: EncoderWeights, format: string): void {
  const names = Object.keys(implied) as (keyof typeof implied)[]
  const other = names.filter((name) => config[name] !== implied[name]).map((name) => `${name} ${config[name]}`)
  if (config.positions === 'none') other.push('positions none')
  if (other.length === 0) return
  throw optionError({
    what: `format '${format}' cannot hold this encoder: it has ${other.join(', ')}`,
    todo: 'cae-torch import, which keeps all of it',
  })
}

/** All tensors, the query and value biases joined as `attn.qkv.bias` with a key bias of zeros. */
export function withJoinedBiases({ config, tensors }: EncoderWeights): Map<string, LazyTensor> {
  const joined = new Map([...tensors].filter(([name]) => !/\.attn\.[qv]_bias$/.test(name)))
  const width = config.embedDim
  for (let block = 0; block < config.depth; block++) {
    const at = `blocks.${block}.attn`
    const [query, value] = [tensors.get(`${at}.q_bias`), tensors.get(`${at}.v_bias`)]
    if (!query || !value) continue // one with a key bias is joined already
    const read = async () => {
      const data = new Float32Array(3 * width)
      data.set(await query.read(), 0)
      data.set(await value.read(), 2 * width)
      return data
    }
    joined.set(`${at}.qkv.bias`, { shape: [3 * width], read })
  }
  return joined
}

/** A tensor of the joined projection cut in three by rows: those of queries, keys and values. */
export function thirds({ shape: [rows = 0, ...rest], read }: LazyTensor): readonly [LazyTensor, LazyTensor, LazyTensor] {
  const part = (at: number): LazyTensor => ({
    shape: [rows / 3, ...rest],
    read: async () => {
      const data = await read()
      return data.subarray((at * data.length) / 3, ((at + 1) * data.length) / 3)
    },
  })
  return [part(0), part(1), part(2)]
}

/** Tensors for a safetensors file. */
export function lazyEntries(tensors: ReadonlyMap<string, LazyTensor>): SafetensorsEntry[] {
  const infos = [...tensors].map(([name, { shape }]) => ({ name, shape }))
  return tensorEntries(infos, (names) => readTensors(tensors, names))
}

/** Tensors by name, in memory. */
export function readTensors(tensors: ReadonlyMap<string, LazyTensor>, names: readonly string[]): Promise<F32Tensor[]> {
  return Promise.all(
    names.map(async (name) => {
      const tensor = tensors.get(name)
      if (!tensor) throw new TypeError(`the encoder has no tensor ${name}`)
      return { data: await tensor.read(), shape: tensor.shape }
    }),
  )
}
