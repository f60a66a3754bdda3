#pragma once

#include <torch/nn/module.h>

#include <vector>

#include "model/linear.h"

namespace cae {

/// Copies of the product weights in the products' type, made once a step from the float32 masters.
class LowPrecision {
 public:
  /// Does nothing when `dtype` is float32.
  LowPrecision(torch::nn::Module& network, at::ScalarType dtype);
  ~LowPrecision();
  LowPrecision(const LowPrecision&) = delete;
  LowPrecision& operator=(const LowPrecision&) = delete;

  /// Brings the copies up to date with the masters.
  void refresh();

 private:
  struct Copy {
    std::shared_ptr<LinearImpl> linear;
    at::Tensor cast;
  };
  std::vector<Copy> copies_;
};

}  // namespace cae
