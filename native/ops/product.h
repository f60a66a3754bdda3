#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cae::ops {

/// y = x · weightᵀ, differentiable in both: the only matrix product of the network besides attention's.
/// x: [..., in] -> [..., out]; weight: [out, in] in the master type (float32).
/// `cast`: the weight in x's type when that is lower (bfloat16), else undefined. Its gradient goes to `weight`,
/// in x's type: the engine widens it for those who want float32.
///
/// On the CPU float32 products go through oneDNN, not through the BLAS that at::matmul uses: MKL's AVX2 code runs at
/// half oneDNN's AVX-512 speed on CPUs that are not Intel's, and the two are level on those that are
/// (docs/performance.md).
at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cast = {});

/// The same product without autograd: a: [m, k], b: [n, k] (any strides) -> [m, n].
at::Tensor productNoGrad(const at::Tensor& a, const at::Tensor& b);

}  // namespace cae::ops
