#pragma once

#include <ATen/core/Tensor.h>

namespace cae::ops {

/// gelu(h + bias), exact (erf). h: [..., F] in any floating type, bias: [F] in the master type; result in h's type.
/// One pass forward and one back; on the CPU the arithmetic is float32 whatever h's type.
at::Tensor biasGelu(const at::Tensor& h, const at::Tensor& bias);

/// CLIP's GELU: u · sigmoid(1.702 u) with u = h + bias. Same types; from libtorch's own operators.
at::Tensor biasQuickGelu(const at::Tensor& h, const at::Tensor& bias);

/// biasGelu from libtorch's own operators: other devices and types, and the oracle of the fused one's test.
at::Tensor biasGeluPlain(const at::Tensor& h, const at::Tensor& bias);

}  // namespace cae::ops
