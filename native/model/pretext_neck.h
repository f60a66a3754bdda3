#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include "model/block.h"
#include "model/cross_block.h"

namespace cae {

/// Sizes of regressor and decoder, which share one width E.
struct NeckConfig {
  int64_t regressorDepth, decoderDepth;
  BlockConfig block;
  double dropPath;
  int64_t outputs;  // of the head: vocabulary, or 3·P·P
};

/// Regressor, decoder and head, under the checkpoint's one name for the three (spec/cae.md 1.6, 1.7).
class PretextNeckImpl : public torch::nn::Module {
 public:
  explicit PretextNeckImpl(const NeckConfig& config);

  /// Predicts the masked patches' representations. query: mask token repeated [B, Nm, E]; visible: [B, Nv, E]. -> [B,
  /// Nm, E]
  at::Tensor regress(const at::Tensor& query, const at::Tensor& visible, const CrossBlockImpl::Positions& positions,
                     const DropPath& dropPath, const Pass& pass);

  /// Turns representations into targets: latents [B, K, E] with their position rows -> [B, K, outputs] in float32.
  at::Tensor decode(const at::Tensor& latents, const at::Tensor& positions, const DropPath& dropPath, const Pass& pass);

  torch::nn::ModuleList regressor_blocks, decoder_blocks;
  Norm norm;   // after the regressor
  Norm norm2;  // after the decoder
  Linear head;

 private:
  double eps_;
};
TORCH_MODULE(PretextNeck);

}  // namespace cae
