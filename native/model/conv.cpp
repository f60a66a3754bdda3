#include "model/conv.h"

#include <ATen/ATen.h>

namespace cae {
namespace {

at::Tensor emptyWeight(const ConvShape& s) {
  return s.isTransposed ? at::empty({s.in, s.out, s.kernel, s.kernel}) : at::empty({s.out, s.in, s.kernel, s.kernel});
}

}  // namespace

ConvImpl::ConvImpl(const ConvShape& shape)
    : weight(register_parameter(shape.kind == ConvShape::Kind::kDalle ? "w" : "weight", emptyWeight(shape))),
      bias(register_parameter(shape.kind == ConvShape::Kind::kDalle ? "b" : "bias", at::empty({shape.out}))),
      shape_(shape) {}

at::Tensor channelsLast(const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

at::Tensor ConvImpl::forward(const at::Tensor& x, at::ScalarType dtype) const {
  const int64_t padding = (shape_.kernel - shape_.stride) / 2;
  const at::Tensor input = x.to(dtype), w = weight.to(dtype), b = bias.to(dtype);
  if (shape_.isTransposed) return at::conv_transpose2d(input, w, b, shape_.stride, padding);
  return at::conv2d(input, w, b, shape_.stride, padding);
}

}  // namespace cae
