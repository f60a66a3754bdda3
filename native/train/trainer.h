#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "methods/method.h"
#include "train/adamw.h"
#include "train/flat_params.h"
#include "train/low_precision.h"

namespace cae {

/// What changes from step to step.
struct Hyper {
  int64_t step;  // 0-based: names the random draws
  double lr, weightDecay;
  double clipNorm;  // 0: no clipping
  uint64_t seed;
  int64_t firstPosition;                   // of the first sample in the global batch
  std::map<std::string, double> schedule;  // the method's own values (Method::schedules)
};

/// Facts about one step.
struct StepResult {
  std::map<std::string, double> values;  // losses, and grad_norm before clipping
  bool skipped;                          // something was not finite and nothing was changed
  int64_t computeNs;
};

/// What one tensor of a step looks like from outside.
struct TensorFinding {
  std::string name;
  int64_t nonFinite;  // how many of its numbers are NaN or infinite
  double largest;     // magnitude of the others
};

/// Where a step stops being finite. Lists are in the order of the computation: `activations` in that of the forward
/// pass, `weights` and `gradients` in that of the network.
struct StepFindings {
  std::map<std::string, double> values;  // as StepResult::values
  std::vector<TensorFinding> weights, activations, gradients;
};

/// One method's optimizer loop body (spec/cae.md 7): forward, backward, clip, update.
class Trainer {
 public:
  Trainer(std::shared_ptr<Method> method, at::ScalarType dtype, const AdamWConfig& config);

  /// One optimizer step; the batches' gradients are averaged by their sizes (accumulation).
  StepResult step(const std::vector<std::shared_ptr<Batch>>& batches, const Hyper& hyper);

  /// The same forward and backward passes with the same bits, and what they pass through; changes neither weights nor
  /// moments.
  StepFindings examine(const std::vector<std::shared_ptr<Batch>>& batches, const Hyper& hyper);

  /// The optimizer's tensors: `exp_avg.NAME` and `exp_avg_sq.NAME` of every trainable tensor.
  std::vector<NamedTensor> tensors();

  int64_t updates() const { return optimizer_.updates(); }
  void setUpdates(int64_t updates) { optimizer_.setUpdates(updates); }

  /// To be called after the model's weights were written from outside.
  void weightsChanged() { lowPrecision_.refresh(); }

 private:
  using Metrics = std::map<std::string, at::Tensor>;
  using Findings = std::vector<TensorFinding>;

  /// Samples [begin, end) of a batch: what one thread differentiates at a time.
  struct Piece {
    const Batch* batch;
    int64_t begin, end;
    double share;      // of the step's samples
    int64_t position;  // of the first sample in the global batch
  };

  /// What forward and backward passes give.
  struct Derivative {
    std::map<std::string, double> values;  // metrics, `grad_norm` among them
    std::vector<at::Tensor> grads;         // of every slot of params_
  };

  /// Forward and backward passes of a whole step. `activations`, where given, hears of every named intermediate result.
  Derivative differentiate(const std::vector<std::shared_ptr<Batch>>& batches, const Hyper& hyper,
                           Findings* activations);

  /// Adds the gradients of a piece's share of the loss; returns that share of the metrics.
  Metrics differentiatePiece(const Piece& piece, int64_t stepSamples, const Hyper& hyper, const Trace& trace);

  std::shared_ptr<Method> method_;
  at::ScalarType dtype_;
  FlatParams params_;
  AdamW optimizer_;
  LowPrecision lowPrecision_;
};

}  // namespace cae
