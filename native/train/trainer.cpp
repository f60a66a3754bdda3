#include "train/trainer.h"

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>

#include "base/check.h"

namespace cae {
Trainer::Trainer(std::shared_ptr<Method> method, at::ScalarType dtype, const AdamWConfig& config)
    : method_(std::move(method)),
      dtype_(dtype),
      params_(*method_),
      optimizer_(params_, config),
      lowPrecision_(method_->network(), dtype) {}

StepResult Trainer::step(const std::vector<std::shared_ptr<Batch>>& batches, const Hyper& hyper) {
  CAE_CHECK(!batches.empty(), "ERR_CAE_SHAPE", "a step needs at least one batch");
  const auto start = std::chrono::steady_clock::now();
  const at::Device device = params_.values().device();
  int64_t samples = 0;
  for (const auto& batch : batches) {
    method_->check(*batch);
    samples += batch->images.size(0);
  }

  params_.grads().zero_();
  std::map<std::string, at::Tensor> sums;
  int64_t position = hyper.firstPosition;
  for (const auto& given : batches) {
    const Batch batch = given->to(device);
    const ForwardArgs args = {.dtype = dtype_,
                              .isTraining = true,
                              .key = {.seed = hyper.seed, .step = hyper.step, .firstPosition = position},
                              .trace = {}};
    const Losses losses = method_->forward(batch, args);
    const double share = static_cast<double>(batch.images.size(0)) / static_cast<double>(samples);
    losses.total.backward(at::full({}, share, losses.total.options()));
    for (const auto& [name, value] : losses.metrics) {
      const at::Tensor part = value.to(at::kDouble) * share;
      at::Tensor& sum = sums[name];
      sum = sum.defined() ? sum + part : part;
    }
    position += batch.images.size(0);
  }

  // The one wait for the device: the numbers to report, among them those that decide whether to update.
  StepResult result = {.values = {}, .skipped = false, .computeNs = 0};
  const double norm = at::linalg_vector_norm(params_.grads()).item<double>();
  for (const auto& [name, sum] : sums) result.values[name] = sum.item<double>();
  result.values["grad_norm"] = norm;
  result.skipped = !std::isfinite(norm) || !std::isfinite(result.values.at("loss"));
  if (!result.skipped) {
    // spec/cae.md 6.4
    const double clip = hyper.clipNorm > 0 ? std::min(1.0, hyper.clipNorm / (norm + 1e-6)) : 1.0;
    optimizer_.step(hyper.lr, hyper.weightDecay, clip);
    lowPrecision_.refresh();
  }
  result.computeNs = std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
  return result;
}

std::vector<NamedTensor> Trainer::tensors() {
  std::vector<NamedTensor> all;
  for (const auto& slot : params_.slots()) {
    const auto add = [&](const char* kind, const at::Tensor& flat) {
      all.push_back({.name = text(kind, ".", slot.name),
                     .tensor = FlatParams::view(flat, slot),
                     .trainable = false,
                     .decay = slot.decay});
    };
    add("exp_avg", optimizer_.firstMoment());
    add("exp_avg_sq", optimizer_.secondMoment());
  }
  return all;
}

}  // namespace cae
