#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "train/flat_params.h"

namespace cae {

/// Sums the gradients of pieces of a step whose backward passes run side by side, each in a thread of its own, into
/// FlatParams::grads(). While an object of this class lives, gradients of the parameters go to it and not to `.grad`.
/// Every parameter adds its pieces up in ascending order, whichever thread comes first, so that a step gives the same
/// bits in every run; a gradient that comes early is kept until its turn, and nobody waits.
class OrderedGrads {
 public:
  explicit OrderedGrads(const FlatParams& params);
  ~OrderedGrads();
  OrderedGrads(const OrderedGrads&) = delete;
  OrderedGrads& operator=(const OrderedGrads&) = delete;

  /// Says which piece the calling thread differentiates from now on.
  static void setPiece(int64_t piece);

  /// To be called after the last backward pass: adds what still waits; parameters without any gradient get zeros.
  void finish();

 private:
  class Sum;
  std::vector<std::shared_ptr<Sum>> sums_;
  std::vector<std::shared_ptr<void>> nodes_;
};

}  // namespace cae
