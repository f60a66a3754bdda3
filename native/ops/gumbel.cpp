#include "ops/gumbel.h"

#include <ATen/ATen.h>

#include "base/rng.h"

namespace cae::ops {

at::Tensor gumbelNoise(at::IntArrayRef shape, const GumbelKey& key, const at::Device& device) {
  const at::Tensor noise = at::empty(shape, at::kFloat);
  const int64_t samples = shape[0];
  const auto perSample = static_cast<size_t>(samples == 0 ? 0 : noise.numel() / samples);
  auto* out = noise.mutable_data_ptr<float>();
  for (int64_t i = 0; i < samples; ++i) {
    RngStream stream({.seed = key.seed,
                      .purpose = Purpose::kGumbel,
                      .time = static_cast<uint32_t>(key.step),
                      .index = static_cast<uint32_t>(key.firstPosition + i)});
    stream.fill({out + static_cast<size_t>(i) * perSample, perSample});
  }
  noise.log_().neg_().log_().neg_();  // uniform -> Exp(1) -> Gumbel
  return noise.to(device);
}

at::Tensor gumbelSoftmax(const at::Tensor& logits, const at::Tensor& noise, double tau) {
  return at::softmax((noise.defined() ? logits + noise : logits) / tau, 1);
}

at::Tensor straightThrough(const at::Tensor& probabilities) {
  const at::Tensor hard = oneHot(probabilities.detach().argmax(1), probabilities.size(1));
  return hard - probabilities.detach() + probabilities;
}

at::Tensor oneHot(const at::Tensor& ids, int64_t vocabulary) {
  std::vector<int64_t> shape(ids.sizes().begin(), ids.sizes().end());
  shape.insert(shape.begin() + 1, vocabulary);
  return at::zeros(shape, ids.options().dtype(at::kFloat)).scatter_(1, ids.to(at::kLong).unsqueeze(1), 1);
}

}  // namespace cae::ops
