import type { VitConfig } from '../config/architecture.js'
import { optionError } from '../config/resolve.js'
import type { F32Tensor } from '../native/types.js'

/** An encoder on its way out: its options, and its tensors under the names of a bare encoder (`cls_token`, `blocks.0.attn.q_bias`; spec/cae.md 1.11). */
export interface EncoderWeights {
  readonly config: VitConfig
  readonly tensors: ReadonlyMap<string, F32Tensor>
}

/** How encoders are written for one kind of foreign program. */
export interface EncoderFormat {
  /** @throws {CaeError} ERR_CAE_OPTION for an encoder that the format cannot hold; nothing has been written then */
  check(encoder: EncoderWeights): void
  /** Writes into a folder that is there; gives the files' names. */
  write(encoder: EncoderWeights, folder: string): Promise<readonly string[]>
}

/** One of the encoder's tensors; they are all there, since a model made them. */
export function tensorOf({ tensors }: EncoderWeights, name: string): F32Tensor {
  const tensor = tensors.get(name)
  if (!tensor) throw new TypeError(`the encoder has no tensor ${name}`)
  return tensor
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

/** Bias of the joined projection, `[3D]`; where the key has none, zeros stand in the middle. */
export function qkvBias(encoder: EncoderWeights, block: number): F32Tensor {
  const whole = encoder.tensors.get(`blocks.${block}.attn.qkv.bias`)
  if (whole) return whole
  const [q, v] = ['q_bias', 'v_bias'].map((name) => tensorOf(encoder, `blocks.${block}.attn.${name}`).data)
  const width = encoder.config.embedDim
  const data = new Float32Array(3 * width)
  data.set(q ?? [], 0)
  data.set(v ?? [], 2 * width)
  return { data, shape: [3 * width] }
}

/** A tensor of the joined projection cut in three by rows: those of queries, keys and values. */
export function thirds({ data, shape: [rows = 0, ...rest] }: F32Tensor): readonly [F32Tensor, F32Tensor, F32Tensor] {
  const part = (at: number) => ({ data: data.subarray((at * data.length) / 3, ((at + 1) * data.length) / 3), shape: [rows / 3, ...rest] })
  return [part(0), part(1), part(2)]
}
