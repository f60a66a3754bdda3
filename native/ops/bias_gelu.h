#pragma once

#include <ATen/core/Tensor.h>

namespace cae::ops {

/// gelu(h + bias), exact (erf), without autograd. h: [rows, F] contiguous in float32 or bfloat16 on the CPU, bias: [F]
/// in float32; the arithmetic is float32, the result has h's type.
at::Tensor biasGeluNoGrad(const at::Tensor& h, const at::Tensor& bias);

/// What the way back through biasGelu finds.
struct BiasGeluBackward {
  at::Tensor value;  // [rows, F], the result of the way there
  at::Tensor dBias;  // [F]
};

/// Turns `d`, the gradient of the result, into that of h, in its place. The result itself comes from the same pass, so
/// that nobody need have kept it.
BiasGeluBackward biasGeluBackward(const at::Tensor& h, const at::Tensor& bias, const at::Tensor& d);

/// gelu(h + bias) from libtorch's own operators, differentiable; h: [..., F] in any floating type, bias in the master
/// type.
at::Tensor biasGeluPlain(const at::Tensor& h, const at::Tensor& bias);

/// CLIP's GELU: u · sigmoid(1.702 u) with u = h + bias. As biasGeluPlain.
at::Tensor biasQuickGelu(const at::Tensor& h, const at::Tensor& bias);

}  // namespace cae::ops
