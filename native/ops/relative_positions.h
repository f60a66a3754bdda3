#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cae::ops {

/// Rows of a relative position table for a grid: one for each offset of two patches, then three of the class token's.
int64_t relativeRows(int64_t rows, int64_t cols);

/// Which row of the table stands for a query (first dimension) and a key (second), int64 [1 + N, 1 + N], the class
/// token first. Offsets are query minus key, rows first; the last three rows of the table are class token to patch,
/// patch to class token, class token to itself (spec/baselines.md 4.2).
at::Tensor relativeIndex(int64_t rows, int64_t cols);

/// What joins the scores of attention: table [relativeRows, heads] -> [heads, 1 + N, 1 + N]. Differentiable.
at::Tensor relativeBias(const at::Tensor& table, const at::Tensor& index);

}  // namespace cae::ops
