#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "ops/product.h"

namespace cae {

/// A weight [out, in] and, when asked, a bias [out], stored under the names of the checkpoint.
class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(int64_t in, int64_t out, bool withBias);

  /// The weight for products in `dtype`.
  ops::ProductWeight weightIn(at::ScalarType dtype) const;

  /// x · weightᵀ in `dtype`, without the bias: the fused operators that follow add it. [..., in] -> [..., out]
  at::Tensor product(const at::Tensor& x, at::ScalarType dtype) const;

  /// x · weightᵀ + bias in `dtype`.
  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype) const;

  /// Sets the weight's copy in the type of the products, refreshed by the trainer after every optimizer step.
  /// Undefined: the weight is converted at each use.
  void setCast(at::Tensor cast) { cast_ = std::move(cast); }

  at::Tensor weight, bias;

 private:
  at::Tensor cast_;
};
TORCH_MODULE(Linear);

/// LayerNorm's two vectors; the arithmetic is in ops::addNorm.
class NormImpl : public torch::nn::Module {
 public:
  explicit NormImpl(int64_t dim);

  at::Tensor weight, bias;
};
TORCH_MODULE(Norm);

}  // namespace cae
