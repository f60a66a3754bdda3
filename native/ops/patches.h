#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cae::ops {

/// Images [B, 3, H, W] as rows of patches [B, N, 3·P·P], patches in raster order. Inside a patch the values run
/// (channel, y, x), the order of a convolution's weight.
at::Tensor patchify(const at::Tensor& images, int64_t patchSize);

/// The same values in the order (y, x, channel): the pixel target of spec/cae.md 1.7. [B, N, P·P·3] from (channel, y,
/// x) rows.
at::Tensor channelsLast(const at::Tensor& patches);

/// Which tokens a mask hides and which it leaves, ascending in every row.
struct TokenSplit {
  at::Tensor masked;   // int64 [B, Nm]
  at::Tensor visible;  // int64 [B, N - Nm]
};

/// mask: bool [B, N] on the host, true = hidden; every row hides the same number (ERR_CAE_SHAPE otherwise). The split
/// is made on the host and goes to `device`, so that no device is waited for.
TokenSplit splitTokens(const at::Tensor& mask, const at::Device& device);

/// Rows of each sample: tokens [B, N, C] or a table [N, C] shared by all samples, index [B, K] -> [B, K, C]. No
/// gradient.
at::Tensor gatherTokens(const at::Tensor& tokens, const at::Tensor& index);

}  // namespace cae::ops
