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
  int64_t outputs;  // of the head: vocabulary, 3·P·P, or channels of another encoder's latents
};

/// Regressor, decoder and head, under the checkpoint's one name for the three (spec/cae.md 1.6, 1.7).
class PretextNeckImpl : public torch::nn::Module {
 public:
  explicit PretextNeckImpl(const NeckConfig& config);

  /// Predicts the masked patches' representations. query: mask token repeated [B, Nm, E]. -> [B, Nm, E], the stream
  /// before `norm`: see represent().
  at::Tensor regress(const at::Tensor& query, const CrossBlockImpl::Context& context, const DropPath& dropPath,
                     const Pass& pass);

  /// The masked patches' representations [B, Nm, E] of what regress() gave.
  at::Tensor represent(const at::Tensor& stream) const;

  /// Norm and head alone, for targets that are representations themselves (spec/cae.md 10.2): [B, K, E] -> [B, K,
  /// outputs] in float32.
  at::Tensor project(const at::Tensor& x, const Pass& pass) const;

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
