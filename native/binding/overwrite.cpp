#include "binding/overwrite.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstring>

namespace cae::binding {

void overwrite(const at::Tensor& target, const at::Tensor& value) {
  const bool isPlain = target.is_cpu() && value.is_cpu() && target.scalar_type() == value.scalar_type() &&
                       target.is_contiguous() && value.is_contiguous();
  if (isPlain) {
    if (target.numel() > 0) std::memcpy(target.data_ptr(), value.const_data_ptr(), value.nbytes());
  } else {
    const at::NoGradGuard noGrad;
    target.copy_(value);
  }
}

}  // namespace cae::binding
