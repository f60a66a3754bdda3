#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace cae {

/// What a step reads. Made on the host by collate, or from a user's tensors; undefined where a method has no use for
/// it.
struct Batch {
  at::Tensor images;   // [B, 3, H, W], float32 normalised, or uint8 raw
  at::Tensor mask;     // bool [B, N], true = hidden
  at::Tensor ids;      // int32 or int64 [B, N], visual tokens
  at::Tensor labels;   // int32 [B], -1 where there is none
  at::Tensor view;     // uint8 [B, 3, h, w], the same crops at another network's resolution; targets are made of it
  at::Tensor latents;  // float32 [B, 1 + N, C], a frozen encoder's tokens of the same crops, class token first
  at::Tensor noise;    // float32 [B, V, h, w], Gumbel noise of a tokenizer; undefined: drawn

  /// Samples [begin, end) of the batch, as views.
  Batch rows(int64_t begin, int64_t end) const;

  /// The same batch for work on `device`. The mask stays on the host: it only decides which rows are gathered.
  Batch to(const at::Device& device) const;
};

/// One batch of several, one after the other. All have the same tensors, of the same shape but for B.
Batch joinBatches(const std::vector<std::shared_ptr<Batch>>& parts);

}  // namespace cae
