#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "train/flat_params.h"

namespace cae {

/// Sums the gradients of pieces of a step whose backward passes run side by side, each in a thread of its own. While an
/// object of this class lives, gradients of the parameters go to it and not to `.grad`. The first one of a parameter is
/// kept as it was made, others are added to it. Every parameter adds its pieces up in ascending order, whichever
/// thread comes first, so that a step gives the same bits in every run; a gradient that comes early is kept until its
/// turn, and nobody waits.
class OrderedGrads {
 public:
  /// `pieces`: how many there are. Of a single one the gradients of product weights stay in the products' type, as
  /// there is nothing to add that would need more.
  OrderedGrads(const FlatParams& params, size_t pieces);
  ~OrderedGrads();
  OrderedGrads(const OrderedGrads&) = delete;
  OrderedGrads& operator=(const OrderedGrads&) = delete;

  /// Says which piece the calling thread differentiates from now on.
  static void setPiece(int64_t piece);

  /// To be called after the last backward pass: adds what still waits. The gradient of every slot of the parameters,
  /// contiguous; zeros for those without any.
  std::vector<at::Tensor> finish();

 private:
  class Sum;
  const FlatParams& params_;
  std::vector<std::shared_ptr<Sum>> sums_;
  std::vector<std::shared_ptr<void>> nodes_;
};

}  // namespace cae
