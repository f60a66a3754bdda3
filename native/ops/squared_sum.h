#pragma once

#include <ATen/core/Tensor.h>

namespace cae::ops {

/// The sum of the squares of a contiguous float32 or bfloat16 tensor on the CPU, in double precision between pieces of
/// fixed size: the same bits whatever the number of threads.
double squaredSum(const at::Tensor& values);

}  // namespace cae::ops
