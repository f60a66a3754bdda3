#include "model/encoder.h"

#include <ATen/ATen.h>

#include "base/check.h"
#include "ops/add_norm.h"
#include "ops/patches.h"
#include "ops/product.h"
#include "ops/relative_positions.h"

namespace cae {

PatchProjectionImpl::PatchProjectionImpl(int64_t patchSize, int64_t dim, bool withBias)
    : weight(register_parameter("weight", at::empty({dim, 3, patchSize, patchSize}))),
      bias(withBias ? register_parameter("bias", at::zeros({dim})) : at::Tensor()) {}

at::Tensor PatchProjectionImpl::forward(const at::Tensor& patches, at::ScalarType dtype) {
  const at::Tensor flat = weight.flatten(1);  // [D, 3·P·P]
  const at::Tensor cast = dtype == flat.scalar_type() ? at::Tensor() : flat.detach().to(dtype);
  const at::Tensor projected = ops::product(patches.to(dtype), {flat, cast}).to(weight.scalar_type());
  return bias.defined() ? projected + bias : projected;
}

PatchEmbedImpl::PatchEmbedImpl(int64_t patchSize, int64_t dim, bool withBias)
    : proj(register_module("proj", PatchProjection(patchSize, dim, withBias))) {}

EncoderImpl::EncoderImpl(const EncoderConfig& c)
    : cls_token(register_parameter("cls_token", at::empty({1, 1, c.block.dim}))), config_(c) {
  pos_embed = positions();
  patch_embed = register_module("patch_embed", PatchEmbed(c.patchSize, c.block.dim, c.patchBias));
  if (c.inputNorm) norm_pre = register_module("norm_pre", Norm(c.block.dim));

  const bool isRelative = c.relativePositions != RelativePositions::kNone;
  const at::Tensor index = isRelative ? ops::relativeIndex(c.gridHeight(), c.gridWidth()) : at::Tensor();
  const bool isShared = c.relativePositions == RelativePositions::kShared;
  if (isShared) rel_pos_bias = register_module("rel_pos_bias", SharedRelativeBias(index, c.block.numHeads));
  blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < c.depth; ++i) blocks->push_back(Block(c.block, isShared ? at::Tensor() : index));

  if (c.outputNorm == OutputNorm::kTokens) norm = register_module("norm", Norm(c.block.dim));
  if (c.outputNorm == OutputNorm::kMean) fc_norm = register_module("fc_norm", Norm(c.block.dim));
}

at::Tensor EncoderImpl::positions() {
  const int64_t dim = config_.block.dim;
  if (config_.hasSincos()) return register_buffer("pos_embed", config_.sincosTable(dim));
  if (config_.positions == Positions::kNone) return {};
  return register_parameter("pos_embed", at::empty({1, 1 + config_.numPatches(), dim}));
}

at::Tensor EncoderImpl::forward(const at::Tensor& patches, const at::Tensor& index, const DropPath& dropPath,
                                const Pass& pass, const std::string& traceName) {
  const at::Tensor embedded = patch_embed->proj->forward(patches, pass.dtype);  // [B, K, D]
  pass.record(traceName + "_patches", embedded);
  const bool isFixed = config_.hasSincos() && config_.relativePositions == RelativePositions::kNone;
  CAE_CHECK(!index.defined() || isFixed, "ERR_CAE_INTERNAL", "learned and relative positions want all patches");
  at::Tensor placed = embedded, cls = cls_token;
  if (pos_embed.defined()) {
    const at::Tensor table = pos_embed[0];  // [1 + N, D]
    const at::Tensor places = table.narrow(0, 1, table.size(0) - 1);
    placed = embedded + (index.defined() ? ops::gatherTokens(places, index) : places);
    cls = cls_token + table.narrow(0, 0, 1);
  }
  at::Tensor x = at::cat({cls.expand({patches.size(0), 1, cls_token.size(2)}), placed}, 1);  // [B, 1 + K, D]
  const double eps = config_.block.layerNormEps;
  if (!norm_pre.is_empty()) x = at::layer_norm(x, {x.size(2)}, norm_pre->weight, norm_pre->bias, eps);
  pass.record(traceName + "_embed", x);
  return runBlocks(blocks, x, norm, eps, dropPath, pass, traceName + "_block", sharedBias());
}

at::Tensor EncoderImpl::patches(const at::Tensor& images) const {
  const bool fits = images.dim() == 4 && images.size(1) == 3 && images.size(2) == config_.imageHeight &&
                    images.size(3) == config_.imageWidth;
  if (!fits) {
    throw Error("ERR_CAE_SHAPE",
                text("images have the shape ", images.sizes(), ", the model wants [B, 3, ", config_.imageHeight, ", ",
                     config_.imageWidth, "]"),
                "images", "resize them, or create the model with another imageSize");
  }
  if (images.scalar_type() == at::kFloat) return ops::patchify(images, config_.patchSize);
  CAE_CHECK(images.scalar_type() == at::kByte, "ERR_CAE_SHAPE", "images are ", images.scalar_type(),
            ", neither uint8 nor float32");
  const auto options = images.options().dtype(at::kFloat);
  const at::Tensor mean = at::tensor(config_.mean, options).view({1, 3, 1, 1});
  const at::Tensor std = at::tensor(config_.std, options).view({1, 3, 1, 1});
  return ops::patchify(images.to(at::kFloat).div_(255).sub_(mean).div_(std), config_.patchSize);
}

at::Tensor EncoderImpl::encode(const at::Tensor& images, at::ScalarType dtype) {
  const at::NoGradGuard noGrad;
  return forward(patches(images.to(cls_token.device())), {}, {}, {.dtype = dtype, .trace = {}}, "encoder");
}

at::Tensor EncoderImpl::meanOfPatches(const at::Tensor& tokens) const {
  const at::Tensor mean = tokens.narrow(1, 1, tokens.size(1) - 1).mean(1);
  if (fc_norm.is_empty()) return mean;
  return at::layer_norm(mean, {mean.size(1)}, fc_norm->weight, fc_norm->bias, config_.block.layerNormEps);
}

at::Tensor EncoderImpl::lastAttention(const at::Tensor& images) {
  const at::NoGradGuard noGrad;
  const int64_t last = config_.depth - 1;
  const std::string wanted = last == 0 ? "encoder_embed" : "encoder_block" + std::to_string(last - 1);
  at::Tensor stream;
  const Pass pass = {.dtype = at::kFloat, .trace = [&](const std::string& name, const at::Tensor& value) {
                       if (name == wanted) stream = value;
                     }};
  forward(patches(images.to(cls_token.device())), {}, {}, pass, "encoder");
  BlockImpl& block = blocks->at<BlockImpl>(static_cast<size_t>(last));
  const at::Tensor normed =
      ops::addNorm(stream, {}, block.norm1->weight, block.norm1->bias, config_.block.layerNormEps, at::kFloat).normed;
  return block.attn->weightsOfFirst(normed, sharedBias());
}

}  // namespace cae
