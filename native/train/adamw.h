#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ops/adamw_update.h"
#include "train/flat_params.h"

namespace cae {

/// AdamW's constants (spec/cae.md 6.1).
struct AdamWConfig {
  double beta1, beta2, eps;
};

/// AdamW with decoupled weight decay; decay touches the decayed parameters only (spec/cae.md 6.2).
class AdamW {
 public:
  AdamW(const FlatParams& params, const AdamWConfig& config);

  /// What every update is given.
  struct Step {
    double lr, weightDecay;
    double gradScale;         // gradients are multiplied by it
    at::Tensor lowPrecision;  // see LowPrecision::values()
  };

  /// One update by the gradients of FlatParams::grads().
  void step(const Step& step);

  /// One update by the gradients of the parameters' slots, contiguous and of any type that ops::adamwUpdate takes.
  void step(const Step& step, const std::vector<at::Tensor>& grads);

  const at::Tensor& firstMoment() const { return firstMoment_; }
  const at::Tensor& secondMoment() const { return secondMoment_; }

  /// Updates made so far: the bias correction counts them.
  int64_t updates() const { return updates_; }
  void setUpdates(int64_t updates) { updates_ = updates; }

 private:
  ops::AdamWUpdate update(const Step& step, bool decay) const;

  const FlatParams& params_;
  AdamWConfig config_;
  at::Tensor firstMoment_, secondMoment_;
  int64_t updates_ = 0;
};

}  // namespace cae
