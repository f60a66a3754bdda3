#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cae::ops {

/// (x + bias) · scale, head-major: x [B, N, D] (values of a token side by side, other strides free) ->
/// [B·heads, N, Dh] contiguous. `bias`: [D] in the master type, or undefined.
at::Tensor splitHeads(const at::Tensor& x, int64_t heads, const at::Tensor& bias = {}, double scale = 1);

/// [B·heads, N, Dh] -> [B, N, D], written into `out` where given (a slice of a packed gradient).
at::Tensor mergeHeads(const at::Tensor& x, int64_t batch, const at::Tensor& out = {});

/// x · scale merged into `out` like mergeHeads, and its sum over samples and tokens: the gradient of a bias, [D] in
/// `sumType`.
at::Tensor mergeHeadsAndSum(const at::Tensor& x, double scale, const at::Tensor& out, at::ScalarType sumType);

}  // namespace cae::ops
