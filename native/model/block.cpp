#include "model/block.h"

#include <ATen/ATen.h>

#include "ops/add_norm.h"
#include "ops/attention.h"
#include "ops/bias_gelu.h"
#include "ops/gelu_mlp.h"

namespace cae {

AttentionImpl::AttentionImpl(const BlockConfig& c, const at::Tensor& relativeIndex)
    : q_bias(c.keyBias ? at::Tensor() : register_parameter("q_bias", at::zeros({c.dim}))),
      v_bias(c.keyBias ? at::Tensor() : register_parameter("v_bias", at::zeros({c.dim}))),
      qkv(register_module("qkv", Linear(c.dim, 3 * c.dim, c.keyBias))),
      proj(register_module("proj", Linear(c.dim, c.dim, true))),
      dim_(c.dim),
      numHeads_(c.numHeads),
      relativeIndex_(relativeIndex) {
  if (!relativeIndex.defined()) return;
  relative_position_bias_table = registerRelativeTable(*this, relativeIndex, c.numHeads);
}

// The third of qkv.bias that belongs to the keys is never read: it adds the same number to all scores of a query,
// which the softmax takes away again. It is there because checkpoints have it.
at::Tensor AttentionImpl::queryBias() const { return q_bias.defined() ? q_bias : qkv->bias.narrow(0, 0, dim_); }

at::Tensor AttentionImpl::valueBias() const { return v_bias.defined() ? v_bias : qkv->bias.narrow(0, 2 * dim_, dim_); }

at::Tensor AttentionImpl::scoreBias(const at::Tensor& sharedBias) {
  return relative_position_bias_table.defined() ? relativeIndex_.bias(relative_position_bias_table) : sharedBias;
}

at::Tensor AttentionImpl::forward(const at::Tensor& x, at::ScalarType dtype, const at::Tensor& sharedBias) {
  const at::Tensor heads = ops::selfAttention(qkv->product(x, dtype), {.q = queryBias(), .v = valueBias()}, numHeads_,
                                              scoreBias(sharedBias));
  return proj->product(heads, dtype);
}

at::Tensor AttentionImpl::weightsOfFirst(const at::Tensor& x, const at::Tensor& sharedBias) {
  const auto parts = qkv->product(x, at::kFloat).chunk(3, 2);
  const at::Tensor bias = scoreBias(sharedBias);
  return ops::attentionWeights(parts[0].narrow(1, 0, 1), parts[1], queryBias(), numHeads_,
                               bias.defined() ? bias.narrow(1, 0, 1) : bias)
      .squeeze(2);
}

MlpImpl::MlpImpl(const BlockConfig& c)
    : fc1(register_module("fc1", Linear(c.dim, c.mlpHidden, true))),
      fc2(register_module("fc2", Linear(c.mlpHidden, c.dim, true))),
      activation_(c.activation) {}

at::Tensor MlpImpl::forward(const at::Tensor& x, at::ScalarType dtype) {
  if (activation_ == Activation::kGelu) {
    return ops::geluMlp(x.to(dtype), fc1->weightIn(dtype), fc1->bias, fc2->weightIn(dtype));
  }
  return fc2->product(ops::biasQuickGelu(fc1->product(x, dtype), fc1->bias), dtype);
}

at::Tensor registerLayerScale(torch::nn::Module& module, const char* name, int64_t dim, double init) {
  if (init == 0) return {};
  return module.register_parameter(name, at::full({dim}, init));
}

BlockImpl::BlockImpl(const BlockConfig& c, const at::Tensor& relativeIndex)
    : gamma_1(registerLayerScale(*this, "gamma_1", c.dim, c.layerScaleInit)),
      gamma_2(registerLayerScale(*this, "gamma_2", c.dim, c.layerScaleInit)),
      norm1(register_module("norm1", Norm(c.dim))),
      attn(register_module("attn", Attention(c, relativeIndex))),
      norm2(register_module("norm2", Norm(c.dim))),
      mlp(register_module("mlp", Mlp(c))) {}

at::Tensor runBlocks(const torch::nn::ModuleList& blocks, const at::Tensor& x, const Norm& finalNorm, double eps,
                     const DropPath& dropPath, const Pass& pass, const std::string& traceName,
                     const at::Tensor& sharedBias) {
  const auto depth = static_cast<int64_t>(blocks->size());
  const auto block = [&](int64_t i) -> BlockImpl& { return *blocks->ptr<BlockImpl>(static_cast<size_t>(i)); };
  const auto normAfter = [&](int64_t i) -> const NormImpl& { return i < depth ? *block(i).norm1 : *finalNorm; };
  // The last norm leaves the stack in the stream's own type; the others feed a product.
  const auto typeAfter = [&](int64_t i) { return i < depth ? pass.dtype : x.scalar_type(); };

  ops::AddNorm state = ops::addNorm(x, {}, normAfter(0).weight, normAfter(0).bias, eps, typeAfter(0));
  for (int64_t i = 0; i < depth; ++i) {
    BlockImpl& b = block(i);
    const ops::Residual attention = {.branch = b.attn->forward(state.normed, pass.dtype, sharedBias),
                                     .bias = b.attn->proj->bias,
                                     .gamma = b.gamma_1,
                                     .dropScale = dropPath.scale(i, 0)};
    state = ops::addNorm(state.sum, attention, b.norm2->weight, b.norm2->bias, eps, pass.dtype);
    const ops::Residual mlp = {.branch = b.mlp->forward(state.normed, pass.dtype),
                               .bias = b.mlp->fc2->bias,
                               .gamma = b.gamma_2,
                               .dropScale = dropPath.scale(i, 1)};
    if (i + 1 == depth && finalNorm.is_empty()) {
      state.normed = state.sum = ops::addResidual(state.sum, mlp);
    } else {
      const NormImpl& next = normAfter(i + 1);
      state = ops::addNorm(state.sum, mlp, next.weight, next.bias, eps, typeAfter(i + 1));
    }
    pass.record(traceName + std::to_string(i), state.sum);
  }
  return state.normed;
}

}  // namespace cae
