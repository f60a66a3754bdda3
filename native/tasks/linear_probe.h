#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/config_reader.h"

namespace cae {

/// A linear probe's sizes and constants (spec/downstream.md 3.1, 3.3). No defaults here: TypeScript holds them.
struct LinearProbeConfig {
  int64_t featureDim;  // C
  int64_t classes;     // K
  double batchNormEps, batchNormMomentum;
  double momentum, trust;  // of LARS
  double initStd;
};

LinearProbeConfig readLinearProbeConfig(ConfigReader& reader);

/// A classifier on frozen features: BatchNorm without affine parameters, then a Linear layer trained with LARS and
/// plain cross-entropy. The backward pass is written out: it is two products and a sum, since nothing before the Linear
/// layer has parameters.
class LinearProbe {
 public:
  /// Draws the weight, a pure function of sizes and `seed`; the bias starts at 0.
  LinearProbe(const LinearProbeConfig& config, uint64_t seed, at::Device device);

  struct StepResult {
    double loss;
    double accuracy;  // share of the batch classified rightly, before the update
  };

  /// One optimizer step. features: float32 [B, C], B >= 2; labels: int32 [B] in 0..K-1; both on the CPU.
  StepResult step(const at::Tensor& features, const at::Tensor& labels, double lr, double weightDecay);

  /// Scores with the running statistics: [B, C] -> [B, K].
  at::Tensor logits(const at::Tensor& features) const;

  struct StateTensor {
    std::string name;
    at::Tensor tensor;
    bool trainable;
  };

  /// Under the reference's names: `head.0.running_mean`, `head.0.running_var`, `head.1.weight`, `head.1.bias`.
  std::vector<StateTensor> state() const;

  const at::Device& device() const { return device_; }

 private:
  at::Tensor normalise(const at::Tensor& x, bool isTraining) const;
  void checkFeatures(const at::Tensor& features) const;
  void checkLabels(const at::Tensor& features, const at::Tensor& labels) const;

  LinearProbeConfig config_;
  at::Device device_;
  at::Tensor runningMean_, runningVar_;  // [C]
  at::Tensor weight_, bias_;             // [K, C], [K]
  at::Tensor weightVelocity_, biasVelocity_;
};

}  // namespace cae
