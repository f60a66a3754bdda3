#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <string>

#include "model/block.h"
#include "model/config.h"

namespace cae {

/// The patch projection, stored as the convolution it stands for: weight [D, 3, P, P], bias [D] or undefined.
class PatchProjectionImpl : public torch::nn::Module {
 public:
  PatchProjectionImpl(int64_t patchSize, int64_t dim, bool withBias);

  /// patches: [B, K, 3·P·P] in the order (channel, y, x) -> [B, K, D] in float32.
  at::Tensor forward(const at::Tensor& patches, at::ScalarType dtype);

  at::Tensor weight, bias;
};
TORCH_MODULE(PatchProjection);

/// Holds the projection under the checkpoint's name `patch_embed.proj`.
class PatchEmbedImpl : public torch::nn::Module {
 public:
  PatchEmbedImpl(int64_t patchSize, int64_t dim, bool withBias);

  PatchProjection proj;
};
TORCH_MODULE(PatchEmbed);

/// The vision transformer that represents: patch embedding, positions, blocks, LayerNorm on all tokens
/// (spec/cae.md 1.2 to 1.4). It sees the patches it is given and nothing else. EncoderConfig says which parts it has.
class EncoderImpl : public torch::nn::Module {
 public:
  explicit EncoderImpl(const EncoderConfig& config);

  /// patches: [B, K, 3·P·P]; index: their places on the grid, int64 [B, K], or undefined for all N in order. Learned
  /// and relative positions want all of them.
  /// Returns [B, 1 + K, D] in float32, class token first. Records `{traceName}_embed` and `{traceName}_block{i}`.
  at::Tensor forward(const at::Tensor& patches, const at::Tensor& index, const DropPath& dropPath, const Pass& pass,
                     const std::string& traceName);

  /// images: [B, 3, H, W], uint8 raw or float32 normalised; returns patches [B, N, 3·P·P] of the normalised image.
  /// ERR_CAE_SHAPE when the size is not the configured one.
  at::Tensor patches(const at::Tensor& images) const;

  /// All patches of `images` through the encoder in evaluation: [B, 1 + N, D] in float32.
  at::Tensor encode(const at::Tensor& images, at::ScalarType dtype);

  /// The mean of the patches, [B, D], of what encode() gave; normalised where the encoder has a norm for it.
  at::Tensor meanOfPatches(const at::Tensor& tokens) const;

  /// Attention of the class token in the last block: [B, heads, 1 + N] in float32 (spec/cae.md 9.2).
  at::Tensor lastAttention(const at::Tensor& images);

  const EncoderConfig& config() const { return config_; }

  at::Tensor cls_token;
  at::Tensor pos_embed;  // [1, 1 + N, D]: a parameter where learned, else a buffer; undefined without positions
  PatchEmbed patch_embed{nullptr};
  Norm norm_pre{nullptr};                    // only with inputNorm
  SharedRelativeBias rel_pos_bias{nullptr};  // only with shared relative positions
  torch::nn::ModuleList blocks;
  Norm norm{nullptr}, fc_norm{nullptr};  // at most one, as outputNorm says

 private:
  at::Tensor positions();
  at::Tensor sharedBias() { return rel_pos_bias.is_empty() ? at::Tensor() : rel_pos_bias->forward(); }

  EncoderConfig config_;
};
TORCH_MODULE(Encoder);

}  // namespace cae
