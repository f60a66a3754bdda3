#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cae::ops {

/// How a patch number becomes a pair of coordinates (spec/cae.md 1.3).
enum class PositionRule {
  kReference,  // divides by the number of rows, as the authors' code does; differs from kGrid when rows != cols
  kGrid,       // divides by the number of columns: (row, column)
};

/// Fixed 2-D sin-cos table, float32 [1, 1 + rows·cols, channels]; row 0, the class token's, is zero.
/// First half of the channels: sine then cosine of the first coordinate; second half of the second.
/// `channels` is a multiple of 4.
at::Tensor sincosTable(int64_t rows, int64_t cols, int64_t channels, PositionRule rule);

}  // namespace cae::ops
