#pragma once

#include <ATen/core/Tensor.h>

namespace cae::ops {

/// Pixels of [0, 1] into the open interval where the logit is finite: (1 - 2 eps) x + eps with eps 0.1
/// (spec/baselines.md 2.1).
at::Tensor mapPixels(const at::Tensor& pixels);

/// The inverse of mapPixels(), cut to [0, 1].
at::Tensor unmapPixels(const at::Tensor& mapped);

/// Negative log-likelihood, in nats and value by value, of mapped pixels under the logit-Laplace distribution
/// (spec/baselines.md 2.6): ln 2 + ln b + ln x + ln(1 - x) + |logit x - mu| / b.
/// mapped: [B, 3, H, W] in (0, 1); stats: [B, 6, H, W], three maps of mu, then three of ln b.
at::Tensor logitLaplaceNll(const at::Tensor& mapped, const at::Tensor& stats);

}  // namespace cae::ops
