#pragma once

#include <ATen/core/Tensor.h>

#include "train/flat_params.h"

namespace cae {

/// AdamW's constants (spec/cae.md 6.1).
struct AdamWConfig {
  double beta1, beta2, eps;
};

/// AdamW with decoupled weight decay over flat parameters; decay touches the decayed part only (spec/cae.md 6.2).
class AdamW {
 public:
  AdamW(const FlatParams& params, const AdamWConfig& config);

  /// One update with gradients multiplied by `gradScale`. `lowPrecision`: see LowPrecision::values().
  void step(double lr, double weightDecay, double gradScale, const at::Tensor& lowPrecision);

  const at::Tensor& firstMoment() const { return firstMoment_; }
  const at::Tensor& secondMoment() const { return secondMoment_; }

  /// Updates made so far: the bias correction counts them.
  int64_t updates() const { return updates_; }
  void setUpdates(int64_t updates) { updates_ = updates; }

 private:
  const FlatParams& params_;
  AdamWConfig config_;
  at::Tensor firstMoment_, secondMoment_;
  int64_t updates_ = 0;
};

}  // namespace cae
