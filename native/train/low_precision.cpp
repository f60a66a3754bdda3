#include "train/low_precision.h"

#include <ATen/ATen.h>

namespace cae {

LowPrecision::LowPrecision(torch::nn::Module& network, at::ScalarType dtype, FlatParams& params) : params_(params) {
  if (dtype == at::kFloat) return;
  values_ = params.decayed(params.values()).to(dtype);
  for (const auto& module : network.modules(/*include_self=*/false)) {
    auto linear = std::dynamic_pointer_cast<LinearImpl>(module);
    if (!linear) continue;
    const at::Tensor& weight = linear->weight;
    if (weight.requires_grad()) {
      const int64_t offset = weight.storage_offset() - params.values().storage_offset();
      const at::Tensor cast = values_.narrow(0, offset, weight.numel()).view(weight.sizes());
      linear->setCast(cast);
      params.setCast(offset, cast);
    } else {
      followers_.push_back({.linear = linear, .cast = weight.detach().to(dtype)});
      linear->setCast(followers_.back().cast);
    }
    linears_.push_back(std::move(linear));
  }
}

LowPrecision::~LowPrecision() {
  for (const auto& linear : linears_) linear->setCast({});
}

void LowPrecision::refresh() {
  if (!values_.defined()) return;
  const at::NoGradGuard noGrad;
  values_.copy_(params_.decayed(params_.values()));
  refreshFollowers();
}

void LowPrecision::refreshFollowers() {
  const at::NoGradGuard noGrad;
  for (const Follower& follower : followers_) follower.cast.copy_(follower.linear->weight);
}

}  // namespace cae
