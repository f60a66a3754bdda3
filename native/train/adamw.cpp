#include "train/adamw.h"

#include <ATen/ATen.h>

namespace cae {

AdamW::AdamW(const FlatParams& params, const AdamWConfig& config)
    : params_(params),
      config_(config),
      firstMoment_(at::zeros_like(params.values())),
      secondMoment_(at::zeros_like(params.values())) {}

ops::AdamWUpdate AdamW::update(const Step& step, bool decay) const {
  return {.lr = step.lr,
          .weightDecay = decay ? step.weightDecay : 0,
          .beta1 = config_.beta1,
          .beta2 = config_.beta2,
          .eps = config_.eps,
          .gradScale = step.gradScale,
          .count = updates_};
}

void AdamW::step(const Step& step) {
  ++updates_;
  const FlatParams& p = params_;
  const auto with = [&](auto part, const at::Tensor& low, bool decay) {
    ops::adamwUpdate(part(p.values()), part(p.grads()), part(firstMoment_), part(secondMoment_), low,
                     update(step, decay));
  };
  with([&](const at::Tensor& flat) { return p.decayed(flat); }, step.lowPrecision, true);
  with([&](const at::Tensor& flat) { return p.undecayed(flat); }, {}, false);
}

void AdamW::step(const Step& step, const std::vector<at::Tensor>& grads) {
  ++updates_;
  for (size_t i = 0; i < grads.size(); ++i) {
    const FlatParams::Slot& slot = params_.slots()[i];
    const auto part = [&](const at::Tensor& flat) { return FlatParams::view(flat, slot); };
    ops::adamwUpdate(part(params_.values()), grads[i], part(firstMoment_), part(secondMoment_), slot.cast,
                     update(step, slot.decay));
  }
}

}  // namespace cae
