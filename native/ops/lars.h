#pragma once

#include <ATen/core/Tensor.h>

namespace cae::ops {

/// What one LARS update is made with (spec/downstream.md 3.3).
struct LarsHyper {
  double lr, weightDecay, momentum, trust;
};

/// Updates `param` and its `velocity` in place from `grad`, all of one shape. Tensors with more than one dimension:
///   g <- g + weightDecay · p;  g <- g · trust · ‖p‖ / ‖g‖  (factor 1 when either norm is 0)
/// and then for every tensor  v <- momentum · v + g;  p <- p - lr · v.
void larsUpdate(const at::Tensor& param, const at::Tensor& grad, const at::Tensor& velocity, const LarsHyper& hyper);

}  // namespace cae::ops
