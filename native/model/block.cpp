#include "model/block.h"

#include <ATen/ATen.h>

#include "ops/add_norm.h"
#include "ops/attention.h"
#include "ops/bias_gelu.h"

namespace cae {

AttentionImpl::AttentionImpl(int64_t dim, int64_t numHeads)
    : q_bias(register_parameter("q_bias", at::zeros({dim}))),
      v_bias(register_parameter("v_bias", at::zeros({dim}))),
      qkv(register_module("qkv", Linear(dim, 3 * dim, false))),
      proj(register_module("proj", Linear(dim, dim, true))),
      numHeads_(numHeads) {}

at::Tensor AttentionImpl::forward(const at::Tensor& x, at::ScalarType dtype) {
  const at::Tensor heads = ops::selfAttention(qkv->product(x, dtype), {.q = q_bias, .v = v_bias}, numHeads_);
  return proj->product(heads, dtype);
}

at::Tensor AttentionImpl::weightsOfFirst(const at::Tensor& x) {
  const auto parts = qkv->product(x, at::kFloat).chunk(3, 2);
  return ops::attentionWeights(parts[0].narrow(1, 0, 1), parts[1], q_bias, numHeads_).squeeze(2);
}

MlpImpl::MlpImpl(int64_t dim, int64_t hidden)
    : fc1(register_module("fc1", Linear(dim, hidden, true))), fc2(register_module("fc2", Linear(hidden, dim, true))) {}

at::Tensor MlpImpl::forward(const at::Tensor& x, at::ScalarType dtype) {
  return fc2->product(ops::biasGelu(fc1->product(x, dtype), fc1->bias), dtype);
}

at::Tensor registerLayerScale(torch::nn::Module& module, const char* name, int64_t dim, double init) {
  if (init == 0) return {};
  return module.register_parameter(name, at::full({dim}, init));
}

BlockImpl::BlockImpl(const BlockConfig& c)
    : gamma_1(registerLayerScale(*this, "gamma_1", c.dim, c.layerScaleInit)),
      gamma_2(registerLayerScale(*this, "gamma_2", c.dim, c.layerScaleInit)),
      norm1(register_module("norm1", Norm(c.dim))),
      attn(register_module("attn", Attention(c.dim, c.numHeads))),
      norm2(register_module("norm2", Norm(c.dim))),
      mlp(register_module("mlp", Mlp(c.dim, c.mlpHidden))) {}

at::Tensor runBlocks(const torch::nn::ModuleList& blocks, const at::Tensor& x, const Norm& finalNorm, double eps,
                     const DropPath& dropPath, const Pass& pass, const std::string& traceName) {
  const auto depth = static_cast<int64_t>(blocks->size());
  const auto block = [&](int64_t i) -> BlockImpl& { return *blocks->ptr<BlockImpl>(static_cast<size_t>(i)); };
  const auto normAfter = [&](int64_t i) -> const NormImpl& { return i < depth ? *block(i).norm1 : *finalNorm; };
  // The last norm leaves the stack in the stream's own type; the others feed a product.
  const auto typeAfter = [&](int64_t i) { return i < depth ? pass.dtype : x.scalar_type(); };

  ops::AddNorm state = ops::addNorm(x, {}, normAfter(0).weight, normAfter(0).bias, eps, typeAfter(0));
  for (int64_t i = 0; i < depth; ++i) {
    BlockImpl& b = block(i);
    const ops::Residual attention = {.branch = b.attn->forward(state.normed, pass.dtype),
                                     .bias = b.attn->proj->bias,
                                     .gamma = b.gamma_1,
                                     .dropScale = dropPath.scale(i, 0)};
    state = ops::addNorm(state.sum, attention, b.norm2->weight, b.norm2->bias, eps, pass.dtype);
    const ops::Residual mlp = {.branch = b.mlp->forward(state.normed, pass.dtype),
                               .bias = b.mlp->fc2->bias,
                               .gamma = b.gamma_2,
                               .dropScale = dropPath.scale(i, 1)};
    const NormImpl& next = normAfter(i + 1);
    state = ops::addNorm(state.sum, mlp, next.weight, next.bias, eps, typeAfter(i + 1));
    pass.record(traceName + std::to_string(i), state.sum);
  }
  return state.normed;
}

}  // namespace cae
