#include "train/flat_params.h"

#include <ATen/ATen.h>

#include "base/cpu_memory.h"

namespace cae {
namespace {

constexpr int64_t kAlign = 16;  // floats: every slice starts on a cache line

int64_t padded(int64_t count) { return (count + kAlign - 1) / kAlign * kAlign; }

}  // namespace

FlatParams::FlatParams(Method& method) {
  const std::vector<NamedTensor> tensors = method.tensors();
  int64_t size = 0;
  for (const bool decay : {true, false}) {
    for (const NamedTensor& t : tensors) {
      if (!t.trainable || t.decay != decay) continue;
      slots_.push_back({.name = t.name, .param = t.tensor, .offset = size, .decay = decay, .cast = {}});
      size += padded(t.tensor.numel());
    }
    if (decay) decayedSize_ = size;
  }
  const at::NoGradGuard noGrad;
  const auto options = slots_.front().param.options().requires_grad(false);
  values_ = at::zeros({size}, options);
  if (!values_.is_cpu()) grads_ = at::zeros({size}, options);
  for (Slot& slot : slots_) {
    const at::Tensor place = view(values_, slot);
    place.copy_(slot.param);
    slot.param.set_data(place);
    if (grads_.defined()) slot.param.mutable_grad() = view(grads_, slot);
  }
  releaseCpuMemory();  // where the parameters were: too cut up for anything as large, and more than a step needs
}

FlatParams::~FlatParams() {
  for (Slot& slot : slots_) slot.param.mutable_grad().reset();
}

void FlatParams::setCast(int64_t offset, const at::Tensor& cast) {
  for (Slot& slot : slots_) {
    if (slot.offset == offset) slot.cast = cast;
  }
}

at::Tensor FlatParams::view(const at::Tensor& flat, const Slot& slot) {
  return flat.narrow(0, slot.offset, slot.param.numel()).view(slot.param.sizes());
}

}  // namespace cae
