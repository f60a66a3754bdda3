#include "model/pretext_neck.h"

#include <ATen/ATen.h>

#include "ops/add_norm.h"

namespace cae {

PretextNeckImpl::PretextNeckImpl(const NeckConfig& c)
    : regressor_blocks(register_module("regressor_blocks", torch::nn::ModuleList())),
      decoder_blocks(register_module("decoder_blocks", torch::nn::ModuleList())),
      norm(register_module("norm", Norm(c.block.dim))),
      norm2(register_module("norm2", Norm(c.block.dim))),
      head(register_module("head", Linear(c.block.dim, c.outputs, true))),
      eps_(c.block.layerNormEps) {
  for (int64_t i = 0; i < c.regressorDepth; ++i) regressor_blocks->push_back(CrossBlock(c.block));
  for (int64_t i = 0; i < c.decoderDepth; ++i) decoder_blocks->push_back(Block(c.block));
}

at::Tensor PretextNeckImpl::regress(const at::Tensor& query, const CrossBlockImpl::Context& context,
                                    const DropPath& dropPath, const Pass& pass) {
  at::Tensor x = query;
  for (size_t i = 0; i < regressor_blocks->size(); ++i) {
    x = regressor_blocks->at<CrossBlockImpl>(i).forward(x, context, dropPath, static_cast<int64_t>(i), pass);
    pass.record("regressor_block" + std::to_string(i), x);
  }
  return x;
}

at::Tensor PretextNeckImpl::represent(const at::Tensor& stream) const {
  return ops::addNorm(stream, {}, norm->weight, norm->bias, eps_, stream.scalar_type()).normed;
}

at::Tensor PretextNeckImpl::project(const at::Tensor& x, const Pass& pass) const {
  const at::Tensor normed = ops::addNorm(x, {}, norm2->weight, norm2->bias, eps_, pass.dtype).normed;
  pass.record("decoder_norm", normed);
  return head->product(normed, pass.dtype).to(x.scalar_type()) + head->bias;
}

at::Tensor PretextNeckImpl::decode(const at::Tensor& latents, const at::Tensor& positions, const DropPath& dropPath,
                                   const Pass& pass) {
  const at::Tensor x = runBlocks(decoder_blocks, latents + positions, norm2, eps_, dropPath, pass, "decoder_block");
  pass.record("decoder_norm", x);
  return head->product(x, pass.dtype).to(x.scalar_type()) + head->bias;
}

}  // namespace cae
