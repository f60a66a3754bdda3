import type { EncoderConfig } from '../config/model.js'
import type { F32Tensor } from '../native/types.js'

/** An encoder on its way out: its options, and its tensors under the names of a bare encoder (`cls_token`, `blocks.0.attn.q_bias`; spec/cae.md 1.11). */
export interface EncoderWeights {
  readonly config: EncoderConfig
  readonly tensors: ReadonlyMap<string, F32Tensor>
}

/** One of the encoder's tensors; they are all there, since a model made them. */
export function tensorOf({ tensors }: EncoderWeights, name: string): F32Tensor {
  const tensor = tensors.get(name)
  if (!tensor) throw new TypeError(`the encoder has no tensor ${name}`)
  return tensor
}

/** Bias of the joined projection, `[3D]`: the key has none, so zeros stand in the middle. */
export function qkvBias(encoder: EncoderWeights, block: number): F32Tensor {
  const [q, v] = ['q_bias', 'v_bias'].map((name) => tensorOf(encoder, `blocks.${block}.attn.${name}`).data)
  const width = encoder.config.embedDim
  const data = new Float32Array(3 * width)
  data.set(q ?? [], 0)
  data.set(v ?? [], 2 * width)
  return { data, shape: [3 * width] }
}

/** Row `part` of the joined projection's weight `[3D, D]`, cut in three: `[D, D]`. */
export function qkvPart(encoder: EncoderWeights, block: number, part: 0 | 1 | 2): F32Tensor {
  const { data, shape } = tensorOf(encoder, `blocks.${block}.attn.qkv.weight`)
  const [, width = 0] = shape
  return { data: data.subarray(part * width * width, (part + 1) * width * width), shape: [width, width] }
}
