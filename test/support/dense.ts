import type { F32Tensor } from '../../src/native/types.js'

/** Rows of `[..., D]` times a stored linear layer: weight `[out, D]`, bias `[out]`. */
export function dense(x: F32Tensor, weight: F32Tensor, bias: F32Tensor): F32Tensor {
  const [out = 0, dim = 0] = weight.shape
  const rows = x.data.length / dim
  const data = new Float32Array(rows * out)
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < out; o++) {
      let sum = bias.data[o] ?? 0
      for (let d = 0; d < dim; d++) sum += (x.data[row * dim + d] ?? 0) * (weight.data[o * dim + d] ?? 0)
      data[row * out + o] = sum
    }
  }
  return { data, shape: [...x.shape.slice(0, -1), out] }
}

/** Tokens `from` and later of `[B, N, D]`. */
export function tokensFrom({ data, shape: [batch = 0, tokens = 0, dim = 0] }: F32Tensor, from: number): F32Tensor {
  const kept = tokens - from
  const out = new Float32Array(batch * kept * dim)
  for (let b = 0; b < batch; b++) out.set(data.subarray((b * tokens + from) * dim, (b + 1) * tokens * dim), b * kept * dim)
  return { data: out, shape: [batch, kept, dim] }
}
