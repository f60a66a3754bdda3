#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "model/block.h"

namespace cae {

/// Cross-attention with separate projections; queries and values have a bias, keys none (spec/cae.md 1.6).
class CrossAttentionImpl : public torch::nn::Module {
 public:
  CrossAttentionImpl(int64_t dim, int64_t numHeads);

  /// q: [B, Nq, E]; k, v: [B, Nk, E] -> [B, Nq, E] without proj's bias.
  at::Tensor forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::ScalarType dtype);

  at::Tensor q_bias, v_bias;
  Linear q, k, v, proj;

 private:
  int64_t numHeads_;
};
TORCH_MODULE(CrossAttention);

/// One block of the latent contextual regressor (spec/cae.md 1.6). The stream itself is normalised by norm2_cross.
class CrossBlockImpl : public torch::nn::Module {
 public:
  /// The position rows of both sides, without gradient.
  struct Positions {
    at::Tensor masked;   // [B, Nm, E]
    at::Tensor visible;  // [B, Nv, E]
  };

  explicit CrossBlockImpl(const BlockConfig& config);

  /// x: the stream [B, Nm, E]; visible: latents of the visible patches [B, Nv, E], used as they are. Returns the new
  /// stream.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& visible, const Positions& positions,
                     const DropPath& dropPath, int64_t index, const Pass& pass);

  at::Tensor gamma_1_cross, gamma_2_cross;
  Norm norm1_q, norm1_k, norm1_v;
  CrossAttention cross_attn;
  Norm norm2_cross;
  Mlp mlp_cross;

 private:
  at::Tensor layerScale(const char* name, const BlockConfig& config);

  double eps_;
};
TORCH_MODULE(CrossBlock);

}  // namespace cae
