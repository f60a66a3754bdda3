#include "model/encoder.h"

#include <ATen/ATen.h>

#include "base/check.h"
#include "ops/add_norm.h"
#include "ops/patches.h"
#include "ops/product.h"

namespace cae {

PatchProjectionImpl::PatchProjectionImpl(int64_t patchSize, int64_t dim)
    : weight(register_parameter("weight", at::empty({dim, 3, patchSize, patchSize}))),
      bias(register_parameter("bias", at::zeros({dim}))) {}

at::Tensor PatchProjectionImpl::forward(const at::Tensor& patches, at::ScalarType dtype) {
  const at::Tensor flat = weight.flatten(1);  // [D, 3·P·P]
  const at::Tensor cast = dtype == flat.scalar_type() ? at::Tensor() : flat.detach().to(dtype);
  return ops::product(patches.to(dtype), flat, cast).to(bias.scalar_type()) + bias;
}

PatchEmbedImpl::PatchEmbedImpl(int64_t patchSize, int64_t dim)
    : proj(register_module("proj", PatchProjection(patchSize, dim))) {}

EncoderImpl::EncoderImpl(const EncoderConfig& c)
    : cls_token(register_parameter("cls_token", at::empty({1, 1, c.block.dim}))),
      pos_embed(
          register_buffer("pos_embed", ops::sincosTable(c.gridHeight(), c.gridWidth(), c.block.dim, c.positions))),
      patch_embed(register_module("patch_embed", PatchEmbed(c.patchSize, c.block.dim))),
      blocks(register_module("blocks", torch::nn::ModuleList())),
      norm(register_module("norm", Norm(c.block.dim))),
      config_(c) {
  for (int64_t i = 0; i < c.depth; ++i) blocks->push_back(Block(c.block));
}

at::Tensor EncoderImpl::forward(const at::Tensor& patches, const at::Tensor& index, const DropPath& dropPath,
                                const Pass& pass, const std::string& traceName) {
  const at::Tensor embedded = patch_embed->proj->forward(patches, pass.dtype);  // [B, K, D]
  pass.record(traceName + "_patches", embedded);
  const at::Tensor table = pos_embed[0];  // [1 + N, D]
  const at::Tensor places = table.narrow(0, 1, table.size(0) - 1);
  const at::Tensor placed = embedded + (index.defined() ? ops::gatherTokens(places, index) : places);
  const at::Tensor cls = (cls_token + table.narrow(0, 0, 1)).expand({patches.size(0), 1, cls_token.size(2)});
  const at::Tensor x = at::cat({cls, placed}, 1);  // [B, 1 + K, D]
  pass.record(traceName + "_embed", x);
  return runBlocks(blocks, x, norm, config_.block.layerNormEps, dropPath, pass, traceName + "_block");
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
  return forward(patches(images.to(pos_embed.device())), {}, {}, {.dtype = dtype, .trace = {}}, "encoder");
}

at::Tensor EncoderImpl::lastAttention(const at::Tensor& images) {
  const at::NoGradGuard noGrad;
  const int64_t last = config_.depth - 1;
  const std::string wanted = last == 0 ? "encoder_embed" : "encoder_block" + std::to_string(last - 1);
  at::Tensor stream;
  const Pass pass = {.dtype = at::kFloat, .trace = [&](const std::string& name, const at::Tensor& value) {
                       if (name == wanted) stream = value;
                     }};
  forward(patches(images.to(pos_embed.device())), {}, {}, pass, "encoder");
  BlockImpl& block = blocks->at<BlockImpl>(static_cast<size_t>(last));
  const at::Tensor normed =
      ops::addNorm(stream, {}, block.norm1->weight, block.norm1->bias, config_.block.layerNormEps, at::kFloat).normed;
  return block.attn->weightsOfFirst(normed);
}

}  // namespace cae
