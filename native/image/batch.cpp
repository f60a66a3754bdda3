#include "image/batch.h"

#include <ATen/ops/cat.h>

namespace cae {
namespace {

at::Tensor joined(const std::vector<std::shared_ptr<Batch>>& parts, at::Tensor Batch::* member) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(parts.size());
  for (const auto& part : parts) {
    if ((*part.*member).defined()) tensors.push_back(*part.*member);
  }
  return tensors.empty() ? at::Tensor() : at::cat(tensors, 0);
}

}  // namespace

Batch Batch::rows(int64_t begin, int64_t end) const {
  const auto cut = [begin, end](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.narrow(0, begin, end - begin) : tensor;
  };
  return {.images = cut(images),
          .mask = cut(mask),
          .ids = cut(ids),
          .labels = cut(labels),
          .view = cut(view),
          .latents = cut(latents),
          .noise = cut(noise)};
}

Batch Batch::to(const at::Device& device) const {
  const auto moved = [&device](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.to(device, /*non_blocking=*/true) : tensor;
  };
  return {.images = moved(images),
          .mask = mask,
          .ids = moved(ids),
          .labels = moved(labels),
          .view = moved(view),
          .latents = moved(latents),
          .noise = moved(noise)};
}

Batch joinBatches(const std::vector<std::shared_ptr<Batch>>& parts) {
  return {.images = joined(parts, &Batch::images),
          .mask = joined(parts, &Batch::mask),
          .ids = joined(parts, &Batch::ids),
          .labels = joined(parts, &Batch::labels),
          .view = joined(parts, &Batch::view),
          .latents = joined(parts, &Batch::latents),
          .noise = joined(parts, &Batch::noise)};
}

}  // namespace cae
