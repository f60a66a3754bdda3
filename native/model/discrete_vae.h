#pragma once

#include <torch/nn/module.h>

#include <map>
#include <string>

#include "model/pass.h"

namespace cae {

/// An auto-encoder through a grid of codes: what gives images token ids, and makes images of ids (spec/baselines.md 2).
/// One shape of calls for DALL-E's network and the light one.
class DiscreteVae : public torch::nn::Module {
 public:
  /// What a decoder's output says about the images it was made for.
  struct Fit {
    at::Tensor loss;         // [B, 3, H, W], what the objective takes the mean of
    const char* metricName;  // how metrics call that mean
    double unit;             // what they divide it by
  };

  /// Codes in the codebook.
  virtual int64_t vocabSize() const = 0;

  /// Pixels of an image's side that one id stands for.
  virtual int64_t downsampling() const = 0;

  /// images: [B, 3, H, W] in float32, as this network wants pixels; H and W are multiples of downsampling().
  /// -> logits [B, V, h, w] in float32.
  virtual at::Tensor logits(const at::Tensor& images, const Pass& pass) = 0;

  /// codes: [B, V, h, w], one-hot or probabilities -> the decoder's output [B, K, H, W] in float32.
  virtual at::Tensor decode(const at::Tensor& codes, const Pass& pass) = 0;

  /// Compares a decoder's output with the images as the network wants them.
  virtual Fit fit(const at::Tensor& decoded, const at::Tensor& images) const = 0;

  /// A decoder's output as pixels [B, 3, H, W] in [0, 1].
  virtual at::Tensor pixels(const at::Tensor& decoded) const = 0;

  /// Raw bytes [B, 3, H, W] as the network wants pixels.
  virtual at::Tensor normalized(const at::Tensor& bytes) const = 0;

  /// Images as the network wants pixels, back in [0, 1].
  virtual at::Tensor original(const at::Tensor& images) const = 0;

  /// The network's input of either kind: uint8 raw, or float32 as the network wants pixels.
  at::Tensor input(const at::Tensor& images) const;

  /// Token ids, int64 [B, h, w] in raster order: the most probable code of every place, the lowest of equals. In
  /// float32 and without gradient, so that ids are stable. Threads may call it side by side.
  at::Tensor ids(const at::Tensor& images);

  /// ids: [B, h, w], each below vocabSize() -> pixels [B, 3, H, W] in [0, 1].
  at::Tensor images(const at::Tensor& ids);

  /// ERR_CAE_SHAPE unless images are [B, 3, H, W] with sides that are multiples of downsampling().
  void checkImages(const at::Tensor& images) const;
};

}  // namespace cae
