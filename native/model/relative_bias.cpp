#include "model/relative_bias.h"

#include <ATen/ATen.h>

#include "ops/relative_positions.h"

namespace cae {

at::Tensor RelativeIndex::bias(const at::Tensor& table) {
  // Threads that share a step run on the CPU, where the index lies from the start.
  if (index_.device() != table.device()) index_ = index_.to(table.device());
  return ops::relativeBias(table, index_);
}

at::Tensor registerRelativeTable(torch::nn::Module& module, const at::Tensor& index, int64_t heads) {
  // The class token's own row is the last of the table (ops::relativeIndex).
  const int64_t rows = index[0][0].item<int64_t>() + 1;
  return module.register_parameter("relative_position_bias_table", at::zeros({rows, heads}));
}

SharedRelativeBiasImpl::SharedRelativeBiasImpl(const at::Tensor& index, int64_t heads)
    : relative_position_bias_table(registerRelativeTable(*this, index, heads)), index_(index) {}

}  // namespace cae
