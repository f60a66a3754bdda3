#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

namespace cae {

/// The index that turns a relative position table into a bias; it follows the table to its device. Not a buffer: no
/// checkpoint needs it.
class RelativeIndex {
 public:
  /// index: ops::relativeIndex, or undefined where there is no table.
  explicit RelativeIndex(at::Tensor index) : index_(std::move(index)) {}

  /// table: [relativeRows, heads] -> [heads, 1 + N, 1 + N].
  at::Tensor bias(const at::Tensor& table);

 private:
  at::Tensor index_;
};

/// A table of zeros as parameter `relative_position_bias_table` of `module`: [relativeRows, heads].
at::Tensor registerRelativeTable(torch::nn::Module& module, const at::Tensor& index, int64_t heads);

/// One relative position table for all blocks, under the checkpoint's name `rel_pos_bias`.
class SharedRelativeBiasImpl : public torch::nn::Module {
 public:
  SharedRelativeBiasImpl(const at::Tensor& index, int64_t heads);

  /// [heads, 1 + N, 1 + N]
  at::Tensor forward() { return index_.bias(relative_position_bias_table); }

  at::Tensor relative_position_bias_table;

 private:
  RelativeIndex index_;
};
TORCH_MODULE(SharedRelativeBias);

}  // namespace cae
