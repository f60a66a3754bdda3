#include "tasks/linear_probe.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <numbers>

#include "base/check.h"
#include "base/rng.h"
#include "ops/lars.h"

namespace cae {
namespace {

/// Names the stream of the one tensor that is drawn.
constexpr uint32_t kWeightStream = 0;

/// A normal distribution of deviation `std`, cut at ±2 absolute: timm's truncated initialisation, whose bounds are
/// values and not deviations, so for 0.01 they cut nothing (spec/cae.md 8.1).
at::Tensor drawWeight(int64_t classes, int64_t dim, double std, uint64_t seed) {
  RngStream stream({.seed = seed, .purpose = Purpose::kInit, .time = 0, .index = kWeightStream});
  at::Tensor uniform = at::empty({classes, dim}, at::kDouble);
  double* draws = uniform.data_ptr<double>();
  for (int64_t i = 0; i < uniform.numel(); ++i) draws[i] = stream.uniform();
  return uniform.mul_(2).sub_(1).erfinv_().mul_(std * std::numbers::sqrt2).clamp_(-2, 2).to(at::kFloat);
}

}  // namespace

LinearProbeConfig readLinearProbeConfig(ConfigReader& reader) {
  const LinearProbeConfig config = {.featureDim = reader.integer("featureDim"),
                                    .classes = reader.integer("classes"),
                                    .batchNormEps = reader.real("batchNormEps"),
                                    .batchNormMomentum = reader.real("batchNormMomentum"),
                                    .momentum = reader.real("momentum"),
                                    .trust = reader.real("trust"),
                                    .initStd = reader.real("initStd")};
  reader.done();
  return config;
}

LinearProbe::LinearProbe(const LinearProbeConfig& config, uint64_t seed, at::Device device)
    : config_(config), device_(device) {
  const at::TensorOptions floats = at::TensorOptions().dtype(at::kFloat).device(device);
  runningMean_ = at::zeros({config.featureDim}, floats);
  runningVar_ = at::ones({config.featureDim}, floats);
  weight_ = drawWeight(config.classes, config.featureDim, config.initStd, seed).to(device);
  bias_ = at::zeros({config.classes}, floats);
  weightVelocity_ = at::zeros_like(weight_);
  biasVelocity_ = at::zeros_like(bias_);
}

LinearProbe::StepResult LinearProbe::step(const at::Tensor& features, const at::Tensor& labels, double lr,
                                          double weightDecay) {
  checkFeatures(features);
  checkLabels(features, labels);
  const at::NoGradGuard noGrad;
  const auto batch = static_cast<double>(features.size(0));
  const at::Tensor x = normalise(features.to(device_), /*isTraining=*/true);  // [B, C]
  const at::Tensor target = labels.to(device_, at::kLong).unsqueeze(1);       // [B, 1]
  const at::Tensor scores = at::addmm(bias_, x, weight_.t());                 // [B, K]
  const at::Tensor logProbabilities = at::log_softmax(scores, 1);             // [B, K]
  const at::Tensor loss = logProbabilities.gather(1, target).mean().neg();
  const at::Tensor right = scores.argmax(1, /*keepdim=*/true).eq(target).sum();
  // d loss / d scores = (softmax - one-hot) / B
  at::Tensor scoreGrad = logProbabilities.exp();
  scoreGrad.scatter_add_(1, target, at::full_like(target, -1, scores.options())).div_(batch);
  const ops::LarsHyper hyper = {
      .lr = lr, .weightDecay = weightDecay, .momentum = config_.momentum, .trust = config_.trust};
  ops::larsUpdate(weight_, at::mm(scoreGrad.t(), x), weightVelocity_, hyper);
  ops::larsUpdate(bias_, scoreGrad.sum(0), biasVelocity_, hyper);
  return {.loss = loss.item<double>(), .accuracy = right.item<double>() / batch};
}

/// In training with the batch's own statistics, moving the running ones: the variance that normalises divides by B, the
/// one that is remembered by B - 1 (spec/downstream.md 1.3). Else with the running ones. The library's operator, since
/// written out it takes ten times as long for wide features.
at::Tensor LinearProbe::normalise(const at::Tensor& x, bool isTraining) const {
  const auto [normalised, mean, inverseStd] =
      at::native_batch_norm(x, /*weight=*/{}, /*bias=*/{}, runningMean_, runningVar_, isTraining,
                            config_.batchNormMomentum, config_.batchNormEps);
  return normalised;
}

at::Tensor LinearProbe::logits(const at::Tensor& features) const {
  checkFeatures(features);
  const at::NoGradGuard noGrad;
  return at::addmm(bias_, normalise(features.to(device_), /*isTraining=*/false), weight_.t()).cpu();
}

std::vector<LinearProbe::StateTensor> LinearProbe::state() const {
  return {{"head.0.running_mean", runningMean_, false},
          {"head.0.running_var", runningVar_, false},
          {"head.1.weight", weight_, true},
          {"head.1.bias", bias_, true}};
}

void LinearProbe::checkFeatures(const at::Tensor& features) const {
  CAE_CHECK(features.scalar_type() == at::kFloat && features.dim() == 2 && features.size(1) == config_.featureDim,
            "ERR_CAE_SHAPE", "the linear probe wants float32 features [B, ", config_.featureDim, "], got ",
            features.scalar_type(), " ", features.sizes());
}

void LinearProbe::checkLabels(const at::Tensor& features, const at::Tensor& labels) const {
  CAE_CHECK(features.size(0) >= 2, "ERR_CAE_SHAPE",
            "a step of the linear probe wants at least 2 samples for its batch statistics");
  CAE_CHECK(labels.scalar_type() == at::kInt && labels.dim() == 1 && labels.size(0) == features.size(0),
            "ERR_CAE_SHAPE", "the linear probe wants int32 labels [", features.size(0), "], got ", labels.scalar_type(),
            " ", labels.sizes());
  const int64_t low = labels.min().item<int64_t>(), high = labels.max().item<int64_t>();
  CAE_CHECK(low >= 0 && high < config_.classes, "ERR_CAE_DATA", "labels lie in ", low, "..", high,
            ", the linear probe has ", config_.classes, " classes");
}

}  // namespace cae
