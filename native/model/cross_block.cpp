#include "model/cross_block.h"

#include <ATen/ATen.h>

#include "ops/add_norm.h"
#include "ops/attention.h"

namespace cae {

CrossAttentionImpl::CrossAttentionImpl(int64_t dim, int64_t numHeads)
    : q_bias(register_parameter("q_bias", at::zeros({dim}))),
      v_bias(register_parameter("v_bias", at::zeros({dim}))),
      q(register_module("q", Linear(dim, dim, false))),
      k(register_module("k", Linear(dim, dim, false))),
      v(register_module("v", Linear(dim, dim, false))),
      proj(register_module("proj", Linear(dim, dim, true))),
      numHeads_(numHeads) {}

at::Tensor CrossAttentionImpl::forward(const at::Tensor& qx, const at::Tensor& kx, const at::Tensor& vx,
                                       at::ScalarType dtype) {
  const at::Tensor heads = ops::crossAttention(q->product(qx, dtype), k->product(kx, dtype), v->product(vx, dtype),
                                               {.q = q_bias, .v = v_bias}, numHeads_);
  return proj->product(heads, dtype);
}

CrossBlockImpl::CrossBlockImpl(const BlockConfig& c)
    : gamma_1_cross(layerScale("gamma_1_cross", c)),
      gamma_2_cross(layerScale("gamma_2_cross", c)),
      norm1_q(register_module("norm1_q", Norm(c.dim))),
      norm1_k(register_module("norm1_k", Norm(c.dim))),
      norm1_v(register_module("norm1_v", Norm(c.dim))),
      cross_attn(register_module("cross_attn", CrossAttention(c.dim, c.numHeads))),
      norm2_cross(register_module("norm2_cross", Norm(c.dim))),
      mlp_cross(register_module("mlp_cross", Mlp(c))),
      eps_(c.layerNormEps) {}

at::Tensor CrossBlockImpl::layerScale(const char* name, const BlockConfig& c) {
  if (c.layerScaleInit != 0) return registerLayerScale(*this, name, c.dim, c.layerScaleInit);
  // The reference stores ones here where the other blocks store nothing (spec/cae.md 1.4).
  register_parameter(name, at::ones({c.dim}), /*requires_grad=*/false);
  return {};
}

at::Tensor CrossBlockImpl::forward(const at::Tensor& x, const Context& context, const DropPath& dropPath, int64_t index,
                                   const Pass& pass) {
  const auto normed = [&](const at::Tensor& tokens, const Norm& norm) {
    return ops::addNorm(tokens, {}, norm->weight, norm->bias, eps_, pass.dtype).normed;
  };
  // Position joins queries and keys, not values; the residual stream carries none.
  const at::Tensor placed = x + context.positions;
  const at::Tensor q = normed(placed, norm1_q);
  const at::Tensor k = at::cat({normed(context.placedVisible, norm1_k), normed(placed, norm1_k)}, 1);  // [B, N, E]
  const at::Tensor v = at::cat({normed(context.visible, norm1_v), normed(x, norm1_v)}, 1);             // [B, N, E]
  const ops::Residual attention = {.branch = cross_attn->forward(q, k, v, pass.dtype),
                                   .bias = cross_attn->proj->bias,
                                   .gamma = gamma_1_cross,
                                   .dropScale = dropPath.scale(index, 0)};
  // Post-norm: what the MLP reads is also what its output is added to.
  const at::Tensor stream =
      ops::addNorm(x, attention, norm2_cross->weight, norm2_cross->bias, eps_, x.scalar_type()).normed;
  return ops::addResidual(stream, {.branch = mlp_cross->forward(stream, pass.dtype),
                                   .bias = mlp_cross->fc2->bias,
                                   .gamma = gamma_2_cross,
                                   .dropScale = dropPath.scale(index, 1)});
}

}  // namespace cae
