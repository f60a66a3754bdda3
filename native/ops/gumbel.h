#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cae::ops {

/// Names the noise of one batch: sample i draws from the stream (seed, gumbel, step, firstPosition + i), so that the
/// noise is the same however a step's samples are split.
struct GumbelKey {
  uint64_t seed;
  int64_t step;
  int64_t firstPosition;
};

/// Gumbel noise -ln(E), E of Exp(1), float32 of `shape` [B, ...]. Drawn on the host, whatever the device.
at::Tensor gumbelNoise(at::IntArrayRef shape, const GumbelKey& key, const at::Device& device);

/// softmax((logits + noise) / tau) over dimension 1: a sample of the categorical distribution, relaxed
/// (spec/baselines.md 2.6). Without noise (undefined) only the temperature is applied.
at::Tensor gumbelSoftmax(const at::Tensor& logits, const at::Tensor& noise, double tau);

/// The most probable entry of dimension 1 as a one-hot tensor of the same shape, whose gradient is that of
/// `probabilities` (straight-through estimator). The lowest index wins a tie.
at::Tensor straightThrough(const at::Tensor& probabilities);

/// A one-hot tensor [B, vocabulary, ...] in float32 of ids [B, ...].
at::Tensor oneHot(const at::Tensor& ids, int64_t vocabulary);

}  // namespace cae::ops
