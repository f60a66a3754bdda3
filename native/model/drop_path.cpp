#include "model/drop_path.h"

#include <ATen/ATen.h>

#include <cmath>

#include "base/rng.h"

namespace cae {
namespace {

constexpr int64_t kStacks = 4;
constexpr int64_t kBranches = 2;

/// A sample's stream in one stack: its name holds the position in the global batch, so a batch may be split anywhere.
RngStream streamOf(const DropPathKey& key, DropPathStack stack, int64_t sample) {
  return RngStream(
      {.seed = key.seed,
       .purpose = Purpose::kDropPath,
       .time = static_cast<uint32_t>(key.step),
       .index = static_cast<uint32_t>((key.firstPosition + sample) * kStacks + static_cast<int64_t>(stack))});
}

}  // namespace

DropPath::DropPath(double rate, int64_t depth, int64_t batch, DropPathStack stack, const DropPathKey& key,
                   const at::Device& device) {
  // The ramp starts at 0, so the first block never drops, and a stack of one block has nothing to draw.
  if (rate == 0 || depth < 2) return;
  const at::Tensor factors = at::empty({depth, kBranches, batch}, at::kFloat);
  auto out = factors.accessor<float, 3>();
  for (int64_t sample = 0; sample < batch; ++sample) {
    RngStream stream = streamOf(key, stack, sample);
    for (int64_t block = 0; block < depth; ++block) {
      const double keep = 1 - rate * static_cast<double>(block) / static_cast<double>(depth - 1);
      for (int64_t branch = 0; branch < kBranches; ++branch) {
        const double kept = block == 0 ? 1 : std::floor(keep + stream.uniform());
        out[block][branch][sample] = static_cast<float>(kept / keep);
      }
    }
  }
  factors_ = factors.to(device);
}

at::Tensor DropPath::scale(int64_t block, int64_t branch) const {
  if (!factors_.defined() || block == 0) return {};
  return factors_[block][branch];
}

}  // namespace cae
