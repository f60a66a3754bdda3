#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cae::ops {

/// The numbers of one AdamW update (spec/cae.md 6.1).
struct AdamWUpdate {
  double lr, weightDecay;
  double beta1, beta2, eps;
  double gradScale;  // gradients are multiplied by it
  int64_t count;     // this update's, from 1 on
};

/// Updates contiguous float32 `values` and both moments in place. `grads`: float32 or, on a CPU, bfloat16. `low`:
/// bfloat16 of the same size, becomes a copy of the new values; undefined where none is wanted. On a CPU in one pass
/// over memory, which is what an update waits for; on other devices libtorch's fused kernel.
void adamwUpdate(const at::Tensor& values, const at::Tensor& grads, const at::Tensor& firstMoment,
                 const at::Tensor& secondMoment, const at::Tensor& low, const AdamWUpdate& update);

}  // namespace cae::ops
