#include "ops/relative_positions.h"

#include <ATen/ATen.h>

namespace cae::ops {
namespace {

int64_t offsets(int64_t rows, int64_t cols) { return (2 * rows - 1) * (2 * cols - 1); }

}  // namespace

int64_t relativeRows(int64_t rows, int64_t cols) { return offsets(rows, cols) + 3; }

at::Tensor relativeIndex(int64_t rows, int64_t cols) {
  const int64_t patches = rows * cols, special = offsets(rows, cols);
  const at::Tensor index = at::empty({1 + patches, 1 + patches}, at::kLong);
  auto out = index.accessor<int64_t, 2>();
  for (int64_t i = 0; i < patches; ++i) {
    for (int64_t j = 0; j < patches; ++j) {
      const int64_t down = i / cols - j / cols + rows - 1, across = i % cols - j % cols + cols - 1;
      out[1 + i][1 + j] = down * (2 * cols - 1) + across;
    }
    out[0][1 + i] = special;
    out[1 + i][0] = special + 1;
  }
  out[0][0] = special + 2;
  return index;
}

at::Tensor relativeBias(const at::Tensor& table, const at::Tensor& index) {
  const int64_t tokens = index.size(0);
  return table.index_select(0, index.flatten()).t().reshape({table.size(1), tokens, tokens});
}

}  // namespace cae::ops
