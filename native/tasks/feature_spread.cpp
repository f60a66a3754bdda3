#include "tasks/feature_spread.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "base/check.h"

namespace cae {

FeatureSpread featureSpread(const at::Tensor& features) {
  CAE_CHECK(features.dim() == 2 && features.size(0) > 0 && features.size(1) > 0, "ERR_CAE_SHAPE",
            "features have the shape ", features.sizes(), ", wanted is [n, C]");
  const at::NoGradGuard noGrad;
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (!at::isfinite(features).all().item<bool>()) return {.std = kNan, .effectiveRank = kNan};
  const at::Tensor rows = features.to(at::kDouble);  // small singular values of alike rows drown in fp32
  const at::Tensor directions = rows / at::linalg_vector_norm(rows, 2, 1, /*keepdim=*/true).clamp_min(1e-12);
  const at::Tensor deviation = at::std(directions, at::OptionalIntArrayRef(0), /*correction=*/0, /*keepdim=*/false);
  const at::Tensor singular = at::linalg_svdvals(rows);
  const at::Tensor shares = singular / singular.sum().clamp_min(std::numeric_limits<double>::min());
  return {.std = deviation.mean().item<double>() * std::sqrt(static_cast<double>(features.size(1))),
          .effectiveRank = std::exp(-at::xlogy(shares, shares).sum().item<double>())};
}

}  // namespace cae
