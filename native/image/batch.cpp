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

Batch Batch::to(const at::Device& device) const {
  const auto moved = [&device](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.to(device, /*non_blocking=*/true) : tensor;
  };
  return {.images = moved(images), .mask = mask, .ids = moved(ids), .labels = moved(labels)};
}

Batch joinBatches(const std::vector<std::shared_ptr<Batch>>& parts) {
  return {.images = joined(parts, &Batch::images),
          .mask = joined(parts, &Batch::mask),
          .ids = joined(parts, &Batch::ids),
          .labels = joined(parts, &Batch::labels)};
}

}  // namespace cae
