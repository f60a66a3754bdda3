#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cae::ops {

/// Biases of queries and values; keys have none (spec/cae.md 1.4). [D] each, in the master type.
struct AttentionBias {
  at::Tensor q;
  at::Tensor v;
};

/// Multi-head self-attention of packed projections: qkv [B, N, 3D] (q, k, v; inside each head-major) -> [B, N, D].
/// softmax((q + bias.q) kᵀ / sqrt(Dh) + scoreBias) (v + bias.v), heads concatenated.
/// scoreBias: [heads, N, N] in the master type (relative positions), or undefined.
at::Tensor selfAttention(const at::Tensor& qkv, const AttentionBias& bias, int64_t heads,
                         const at::Tensor& scoreBias = {});

/// The same between two sequences: q [B, Nq, D], k and v [B, Nk, D] -> [B, Nq, D].
at::Tensor crossAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
                          int64_t heads);

/// The attention probabilities alone, without autograd: q [B, Nq, D], k [B, Nk, D] -> [B, heads, Nq, Nk] in float32.
/// scoreBias: [heads, Nq, Nk] or undefined.
at::Tensor attentionWeights(const at::Tensor& q, const at::Tensor& k, const at::Tensor& qBias, int64_t heads,
                            const at::Tensor& scoreBias = {});

/// Oracle of the tests: plain differentiable operators, same arguments as crossAttention, scoreBias as above.
at::Tensor crossAttentionPlain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
                               int64_t heads, const at::Tensor& scoreBias = {});

}  // namespace cae::ops
