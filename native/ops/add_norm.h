#pragma once

#include <ATen/core/Tensor.h>

namespace cae::ops {

/// The two results of addNorm.
struct AddNorm {
  at::Tensor sum;     // [B, N, D], the residual stream after the branch was added
  at::Tensor normed;  // [B, N, D], its LayerNorm, in the type that the next product wants
};

/// What joins the residual stream: sum = x + dropScale · gamma ⊙ (branch + bias). Undefined tensors are left out.
struct Residual {
  at::Tensor branch;     // [B, N, D] in any floating type; undefined: sum = x
  at::Tensor bias;       // [D] bias of the product that made the branch
  at::Tensor gamma;      // [D] LayerScale
  at::Tensor dropScale;  // [B] 0 or 1/keep for each sample; not differentiated
};

/// Bias, LayerScale, drop path, residual and LayerNorm in one pass over memory, with one pass back.
/// x: [B, N, D] in the stream's type; weight, bias: [D]; `normedType`: type of `normed`.
/// Statistics and sums are taken in the stream's type (float32; float64 in gradient tests).
AddNorm addNorm(const at::Tensor& x, const Residual& residual, const at::Tensor& weight, const at::Tensor& bias,
                double eps, at::ScalarType normedType);

/// The residual alone, for a stream that is not normalised next: x + dropScale · gamma ⊙ (branch + bias).
at::Tensor addResidual(const at::Tensor& x, const Residual& residual);

/// addNorm from libtorch's own operators: other devices, and the oracle of the fused one's test.
AddNorm addNormPlain(const at::Tensor& x, const Residual& residual, const at::Tensor& weight, const at::Tensor& bias,
                     double eps, at::ScalarType normedType);
at::Tensor addResidualPlain(const at::Tensor& x, const Residual& residual);

}  // namespace cae::ops
