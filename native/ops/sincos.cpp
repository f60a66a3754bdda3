#include "ops/sincos.h"

#include <ATen/ATen.h>

#include <cmath>

namespace cae::ops {

at::Tensor sincosTable(int64_t rows, int64_t cols, int64_t channels, PositionRule rule) {
  const int64_t quarter = channels / 4;
  const int64_t divisor = rule == PositionRule::kReference ? rows : cols;
  const at::Tensor table = at::zeros({1, 1 + rows * cols, channels}, at::kFloat);
  auto out = table.accessor<float, 3>()[0];
  for (int64_t p = 0; p < rows * cols; ++p) {
    const auto a = static_cast<float>(p / divisor), b = static_cast<float>(p % divisor);
    for (int64_t k = 0; k < quarter; ++k) {
      // In float32 on purpose: checkpoints hold the values computed that way.
      const float omega = 1.0F / std::pow(10000.0F, static_cast<float>(k) / static_cast<float>(quarter));
      out[p + 1][k] = std::sin(a * omega);
      out[p + 1][quarter + k] = std::cos(a * omega);
      out[p + 1][2 * quarter + k] = std::sin(b * omega);
      out[p + 1][3 * quarter + k] = std::cos(b * omega);
    }
  }
  return table;
}

}  // namespace cae::ops
