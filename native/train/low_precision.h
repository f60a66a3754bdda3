#pragma once

#include <torch/nn/module.h>

#include <vector>

#include "model/linear.h"
#include "train/flat_params.h"

namespace cae {

/// Copies of the product weights in the products' type: views of one flat copy of the decayed parameters, which the
/// optimizer renews as it goes.
class LowPrecision {
 public:
  /// Does nothing when `dtype` is float32.
  LowPrecision(torch::nn::Module& network, at::ScalarType dtype, FlatParams& params);
  ~LowPrecision();
  LowPrecision(const LowPrecision&) = delete;
  LowPrecision& operator=(const LowPrecision&) = delete;

  /// The flat copy, as large as the decayed part of FlatParams::values(); undefined in float32.
  const at::Tensor& values() const { return values_; }

  /// Brings all copies up to date with the masters, after others than the optimizer have changed them.
  void refresh();

  /// The same for weights that no optimizer changes: those that follow the network's.
  void refreshFollowers();

 private:
  struct Follower {
    std::shared_ptr<LinearImpl> linear;
    at::Tensor cast;
  };
  const FlatParams& params_;
  at::Tensor values_;
  std::vector<std::shared_ptr<LinearImpl>> linears_;
  std::vector<Follower> followers_;
};

}  // namespace cae
