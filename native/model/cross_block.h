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
  /// What every block of a regressor reads besides the stream.
  struct Context {
    at::Tensor visible;        // [B, Nv, E], latents of the visible patches, used as they are
    at::Tensor placedVisible;  // [B, Nv, E], the same with their positions
    at::Tensor positions;      // [B, Nm, E] of the masked patches, without gradient
  };

  explicit CrossBlockImpl(const BlockConfig& config);

  /// x: the stream [B, Nm, E]. Returns the new stream.
  at::Tensor forward(const at::Tensor& x, const Context& context, const DropPath& dropPath, int64_t index,
                     const Pass& pass);

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
