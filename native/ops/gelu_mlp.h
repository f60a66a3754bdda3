#pragma once

#include <ATen/core/Tensor.h>

#include "ops/product.h"

namespace cae::ops {

/// gelu(x · fc1ᵀ + bias1) · fc2ᵀ, without fc2's bias. x: [..., in] in the products' type -> [..., out]; bias1: [hidden]
/// in the master type. On the CPU one function for autograd: it keeps x and x · fc1ᵀ, while GELU's values, as large as
/// the latter, are made again by the pass that needs its slope anyway.
at::Tensor geluMlp(const at::Tensor& x, const ProductWeight& fc1, const at::Tensor& bias1, const ProductWeight& fc2);

/// The same from the single operators: other devices and types, and the oracle of the fused one's test.
at::Tensor geluMlpPlain(const at::Tensor& x, const ProductWeight& fc1, const at::Tensor& bias1,
                        const ProductWeight& fc2);

}  // namespace cae::ops
