#include "ops/lars.h"

#include <ATen/ATen.h>

namespace cae::ops {
namespace {

at::Tensor adapted(const at::Tensor& param, const at::Tensor& grad, const LarsHyper& hyper) {
  if (param.dim() <= 1) return grad;
  const at::Tensor g = hyper.weightDecay == 0 ? grad : grad.add(param, hyper.weightDecay);
  const at::Tensor paramNorm = param.norm(), gradNorm = g.norm();
  // The choice stays on the device: no host sync inside a step.
  const at::Tensor usable = paramNorm.gt(0).logical_and_(gradNorm.gt(0));
  return g * at::where(usable, paramNorm * hyper.trust / gradNorm, at::ones_like(gradNorm));
}

}  // namespace

void larsUpdate(const at::Tensor& param, const at::Tensor& grad, const at::Tensor& velocity, const LarsHyper& hyper) {
  velocity.mul_(hyper.momentum).add_(adapted(param, grad, hyper));
  param.sub_(velocity, hyper.lr);
}

}  // namespace cae::ops
