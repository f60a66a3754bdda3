#include "model/linear.h"

#include <ATen/ATen.h>

namespace cae {

LinearImpl::LinearImpl(int64_t in, int64_t out, bool withBias)
    : weight(register_parameter("weight", at::empty({out, in}))),
      bias(withBias ? register_parameter("bias", at::empty({out})) : at::Tensor()) {}

ops::ProductWeight LinearImpl::weightIn(at::ScalarType dtype) const {
  if (weight.scalar_type() == dtype) return {.master = weight};
  const bool fresh = cast_.defined() && cast_.scalar_type() == dtype;
  return {.master = weight, .cast = fresh ? cast_ : weight.detach().to(dtype)};
}

at::Tensor LinearImpl::product(const at::Tensor& x, at::ScalarType dtype) const {
  return ops::product(x.to(dtype), weightIn(dtype));
}

at::Tensor LinearImpl::forward(const at::Tensor& x, at::ScalarType dtype) const {
  const at::Tensor y = product(x, dtype);
  return bias.defined() ? y + bias.to(dtype) : y;
}

NormImpl::NormImpl(int64_t dim)
    : weight(register_parameter("weight", at::ones({dim}))), bias(register_parameter("bias", at::zeros({dim}))) {}

}  // namespace cae
