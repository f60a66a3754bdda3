#include "ops/logit_laplace.h"

#include <ATen/ATen.h>

#include <cmath>

namespace cae::ops {
namespace {

constexpr double kEps = 0.1;

}  // namespace

at::Tensor mapPixels(const at::Tensor& pixels) { return (1 - 2 * kEps) * pixels + kEps; }

at::Tensor unmapPixels(const at::Tensor& mapped) { return ((mapped - kEps) / (1 - 2 * kEps)).clamp(0, 1); }

at::Tensor logitLaplaceNll(const at::Tensor& mapped, const at::Tensor& stats) {
  const at::Tensor mu = stats.narrow(1, 0, 3), lnB = stats.narrow(1, 3, 3);
  const at::Tensor constant = std::log(2.0) + at::log(mapped) + at::log1p(-mapped);
  return constant + lnB + (at::logit(mapped) - mu).abs() * at::exp(-lnB);
}

}  // namespace cae::ops
