#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

namespace cae {

/// Sizes of a convolution, and how checkpoint and start weights treat it.
struct ConvShape {
  /// Whose convolution it is: DALL-E's names its tensors `w` and `b` and starts them normal; the library's, `weight`
  /// and `bias`, uniform (spec/baselines.md 2.2, 2.7).
  enum class Kind { kDalle, kLibrary };

  Kind kind;
  int64_t in, out, kernel;
  int64_t stride = 1;
  bool isTransposed = false;  // the upsampling one of stride `stride`
};

/// A square 2-D convolution with bias, zero padding (kernel - stride) / 2 on every side: the image keeps its size, or
/// is divided or multiplied by the stride.
class ConvImpl : public torch::nn::Module {
 public:
  explicit ConvImpl(const ConvShape& shape);

  /// x: [B, in, H, W] -> [B, out, H', W'], computed and returned in `dtype`.
  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype) const;

  const ConvShape& shape() const { return shape_; }

  at::Tensor weight, bias;

 private:
  ConvShape shape_;
};
TORCH_MODULE(Conv);

/// x [B, C, H, W] with its channels side by side in memory: what convolutions are fastest with, and hand on. On a CPU
/// they would otherwise rearrange every input and output, which costs more than narrow layers compute.
at::Tensor channelsLast(const at::Tensor& x);

}  // namespace cae
