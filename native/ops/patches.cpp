#include "ops/patches.h"

#include <ATen/ATen.h>

#include <optional>

#include "base/check.h"

namespace cae::ops {

at::Tensor patchify(const at::Tensor& images, int64_t patchSize) {
  const int64_t b = images.size(0), h = images.size(2) / patchSize, w = images.size(3) / patchSize;
  return images.reshape({b, 3, h, patchSize, w, patchSize})
      .permute({0, 2, 4, 1, 3, 5})  // [B, h, w, 3, P, P]
      .reshape({b, h * w, 3 * patchSize * patchSize});
}

at::Tensor channelsLast(const at::Tensor& patches) {
  return patches.unflatten(2, {3, patches.size(2) / 3}).transpose(2, 3).flatten(2);
}

TokenSplit splitTokens(const at::Tensor& mask, const at::Device& device) {
  const int64_t batch = mask.size(0), tokens = mask.size(1);
  const at::Tensor counts = mask.sum(1);
  const int64_t masked = batch > 0 ? counts[0].item<int64_t>() : 0;
  if (!counts.eq(masked).all().item<bool>()) {
    throw Error("ERR_CAE_SHAPE", "the rows of the mask hide different numbers of patches", "mask",
                "hide the same number of patches in every image of a batch");
  }
  // Stable sort of the flags: hidden first, each part in ascending patch order.
  const at::Tensor flags = mask.logical_not().to(at::kByte);
  const at::Tensor order =
      std::get<1>(at::sort(flags, /*stable=*/std::optional<bool>(true), 1)).to(device, /*non_blocking=*/true);
  return {.masked = order.narrow(1, 0, masked).contiguous(),
          .visible = order.narrow(1, masked, tokens - masked).contiguous()};
}

at::Tensor gatherTokens(const at::Tensor& tokens, const at::Tensor& index) {
  const int64_t batch = index.size(0), count = index.size(1), channels = tokens.size(-1);
  if (tokens.dim() == 2) return tokens.index_select(0, index.reshape(-1)).view({batch, count, channels});
  const int64_t n = tokens.size(1);
  const at::Tensor offset = at::arange(batch, index.options()).mul_(n).unsqueeze(1);  // [B, 1]
  return tokens.reshape({batch * n, channels})
      .index_select(0, (index + offset).reshape(-1))
      .view({batch, count, channels});
}

}  // namespace cae::ops
