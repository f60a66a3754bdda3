#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cae::ops {

/// A weight [out, in] as products want it. Its gradient goes to `master`, in the type of the product: the engine widens
/// it for those who want float32.
struct ProductWeight {
  at::Tensor master;     // float32
  at::Tensor cast = {};  // the same in the product's type when that is lower (bfloat16), else undefined

  const at::Tensor& values() const { return cast.defined() ? cast : master; }
};

/// y = x · weightᵀ, differentiable in both: with geluMlp the only matrix products of the network besides attention's.
/// x: [..., in] -> [..., out].
///
/// On a CPU with AVX-512 float32 products go through oneDNN, not through the BLAS that at::matmul uses: on those that
/// are not Intel's, MKL's AVX2 code runs at half its speed, and the two are level on those that are. Without AVX-512
/// MKL is the faster one (docs/log.md).
at::Tensor product(const at::Tensor& x, const ProductWeight& weight);

/// The same product without autograd: a: [m, k], b: [n, k] (any strides) -> [m, n].
at::Tensor productNoGrad(const at::Tensor& a, const at::Tensor& b);

}  // namespace cae::ops
