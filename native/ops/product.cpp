#include "ops/product.h"

#include <ATen/ATen.h>
#include <ATen/Version.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string_view>

namespace cae::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using OneDnnLinear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                std::string_view, c10::List<std::optional<at::Scalar>>,
                                std::optional<std::string_view>);

/// oneDNN's float32 linear, as libtorch registers it for its compiler; absent from builds without oneDNN, and of no use
/// where the CPU has no AVX-512.
std::optional<c10::TypedOperatorHandle<OneDnnLinear>> findOneDnnLinear() {
  if (!at::get_cpu_capability().starts_with("AVX512")) return std::nullopt;
  const auto schema = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  if (!schema || !at::globalContext().userEnabledMkldnn()) return std::nullopt;
  return schema->typed<OneDnnLinear>();
}

class Product : public torch::autograd::Function<Product> {
 public:
  /// `master` is where the gradient of `values` goes; of values that require none themselves.
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& /*master*/,
                            const at::Tensor& values) {
    ctx->save_for_backward({x, values});
    return productNoGrad(x, values);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &w = saved[1], &dy = grads[0];
    at::Tensor dx, dw;
    if (ctx->needs_input_grad(0)) dx = productNoGrad(dy, w.t());
    if (ctx->needs_input_grad(1)) dw = productNoGrad(dy.t(), x.t());
    return {dx, dw, {}};
  }
};

}  // namespace

at::Tensor productNoGrad(const at::Tensor& a, const at::Tensor& b) {
  // Looked up once: the dispatcher's table does not change after libtorch has loaded.
  static const auto oneDnn = findOneDnnLinear();
  if (oneDnn && a.is_cpu() && a.scalar_type() == at::kFloat && a.numel() > 0 && b.numel() > 0) {
    return oneDnn->call(a, b, std::nullopt, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt);
  }
  return at::mm(a, b.t());
}

at::Tensor product(const at::Tensor& x, const ProductWeight& weight) {
  const int64_t in = x.size(-1);
  const at::Tensor rows = x.reshape({-1, in});
  auto shape = x.sizes().vec();
  shape.back() = weight.master.size(0);
  return Product::apply(rows, weight.master, weight.values().detach()).view(shape);
}

}  // namespace cae::ops
