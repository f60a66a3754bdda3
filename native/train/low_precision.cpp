#include "train/low_precision.h"

#include <ATen/ATen.h>

namespace cae {

LowPrecision::LowPrecision(torch::nn::Module& network, at::ScalarType dtype) {
  if (dtype == at::kFloat) return;
  for (const auto& module : network.modules(/*include_self=*/false)) {
    auto linear = std::dynamic_pointer_cast<LinearImpl>(module);
    if (!linear) continue;
    copies_.push_back({.linear = linear, .cast = linear->weight.detach().to(dtype)});
    linear->setCast(copies_.back().cast);
  }
}

LowPrecision::~LowPrecision() {
  for (const Copy& copy : copies_) copy.linear->setCast({});
}

void LowPrecision::refresh() {
  const at::NoGradGuard noGrad;
  for (const Copy& copy : copies_) copy.cast.copy_(copy.linear->weight);
}

}  // namespace cae
