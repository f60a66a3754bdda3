#include "train/adamw.h"

#include <ATen/ATen.h>

#include "ops/adamw_update.h"

namespace cae {

AdamW::AdamW(const FlatParams& params, const AdamWConfig& config)
    : params_(params),
      config_(config),
      firstMoment_(at::zeros_like(params.values())),
      secondMoment_(at::zeros_like(params.values())) {}

void AdamW::step(double lr, double weightDecay, double gradScale, const at::Tensor& lowPrecision) {
  ++updates_;
  const FlatParams& p = params_;
  const auto update = [&](auto part, double decay, const at::Tensor& low) {
    ops::adamwUpdate(part(p.values()), part(p.grads()), part(firstMoment_), part(secondMoment_), low,
                     {.lr = lr,
                      .weightDecay = decay,
                      .beta1 = config_.beta1,
                      .beta2 = config_.beta2,
                      .eps = config_.eps,
                      .gradScale = gradScale,
                      .count = updates_});
  };
  update([&](const at::Tensor& flat) { return p.decayed(flat); }, weightDecay, lowPrecision);
  update([&](const at::Tensor& flat) { return p.undecayed(flat); }, 0, {});
}

}  // namespace cae
