#include "model/discrete_vae.h"

#include <ATen/ATen.h>

#include "base/check.h"
#include "ops/gumbel.h"

namespace cae {
namespace {

const Pass kExact = {.dtype = at::kFloat, .trace = {}};

}  // namespace

at::Tensor DiscreteVae::input(const at::Tensor& images) const {
  return images.scalar_type() == at::kByte ? normalized(images) : images;
}

at::Tensor DiscreteVae::ids(const at::Tensor& images) {
  const at::NoGradGuard noGrad;
  return logits(input(images), kExact).argmax(1);
}

at::Tensor DiscreteVae::images(const at::Tensor& ids) {
  const at::NoGradGuard noGrad;
  CAE_CHECK(ids.dim() == 3 && ids.numel() > 0, "ERR_CAE_SHAPE", "ids have the shape ", ids.sizes(),
            ", wanted [B, h, w]");
  const auto [lowest, highest] = at::aminmax(ids);
  const int64_t low = lowest.item<int64_t>(), high = highest.item<int64_t>();
  CAE_CHECK(low >= 0 && high < vocabSize(), "ERR_CAE_SHAPE", "a token id is ", low < 0 ? low : high,
            ", the codebook has the ids 0 to ", vocabSize() - 1);
  return pixels(decode(ops::oneHot(ids, vocabSize()), kExact));
}

void DiscreteVae::checkImages(const at::Tensor& images) const {
  const int64_t side = downsampling();
  const bool fits = images.dim() == 4 && images.size(1) == 3 && images.size(2) % side == 0 &&
                    images.size(3) % side == 0 && images.numel() > 0;
  CAE_CHECK(fits, "ERR_CAE_SHAPE", "images have the shape ", images.sizes(),
            ", wanted [B, 3, H, W] with sides that are multiples of ", side);
}

}  // namespace cae
