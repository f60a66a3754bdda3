#pragma once

#include <ATen/core/Tensor.h>

namespace cae {

/// What a step reads. Made on the host by collate, or from a user's tensors; undefined where a method has no use for it.
struct Batch {
  at::Tensor images;  // [B, 3, H, W], float32 normalised, or uint8 raw
  at::Tensor mask;    // bool [B, N], true = hidden
  at::Tensor ids;     // int32 or int64 [B, N], visual tokens
  at::Tensor labels;  // int32 [B], -1 where there is none
};

}  // namespace cae
