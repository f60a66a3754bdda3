#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cae {

/// Names the random draws of one forward pass.
struct DropPathKey {
  uint64_t seed;
  int64_t step;
  int64_t firstPosition;  // of the batch in the step's global batch: draws are the same however it is split
};

/// Which stack of blocks draws: stacks never share a stream.
enum class DropPathStack : int64_t { kEncoder, kTarget, kRegressor, kDecoder };

/// Stochastic depth of one stack in one pass (spec/cae.md 1.8): the rate rises linearly from 0 at the first block to
/// `rate` at the last; one draw per sample and branch. All factors of the pass are made at once, on the host.
class DropPath {
 public:
  /// No drop path: evaluation, or rate 0.
  DropPath() = default;
  DropPath(double rate, int64_t depth, int64_t batch, DropPathStack stack, const DropPathKey& key,
           const at::Device& device);

  /// Factors [B] for branch 0 (attention) or 1 (MLP) of block i: 0 or 1/keep; undefined where nothing is dropped.
  at::Tensor scale(int64_t block, int64_t branch) const;

 private:
  at::Tensor factors_;  // [depth, 2, B]
};

}  // namespace cae
