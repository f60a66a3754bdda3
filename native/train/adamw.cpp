#include "train/adamw.h"

#include <ATen/ATen.h>

#include <optional>

namespace cae {

AdamW::AdamW(const FlatParams& params, const AdamWConfig& config)
    : params_(params),
      config_(config),
      firstMoment_(at::zeros_like(params.values())),
      secondMoment_(at::zeros_like(params.values())) {}

void AdamW::step(double lr, double weightDecay, double gradScale) {
  const at::NoGradGuard noGrad;
  // The kernel counts from 1 and divides gradients by its scale.
  const auto options = params_.values().options();
  const at::Tensor count = at::full({}, static_cast<double>(++updates_), options);
  const auto scale = gradScale == 1 ? std::optional<at::Tensor>() : at::full({}, 1 / gradScale, options);
  const auto update = [&](const at::Tensor& values, const at::Tensor& grads, const at::Tensor& first,
                          const at::Tensor& second, double decay) {
    if (values.numel() == 0) return;
    at::_fused_adamw_({values}, {grads}, {first}, {second}, {}, {count}, lr, config_.beta1, config_.beta2, decay,
                      config_.eps,
                      /*amsgrad=*/false, /*maximize=*/false, scale);
  };
  const FlatParams& p = params_;
  update(p.decayed(p.values()), p.decayed(p.grads()), p.decayed(firstMoment_), p.decayed(secondMoment_), weightDecay);
  update(p.undecayed(p.values()), p.undecayed(p.grads()), p.undecayed(firstMoment_), p.undecayed(secondMoment_), 0);
}

}  // namespace cae
