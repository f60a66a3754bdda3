#include "ops/gelu_mlp.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/bias_gelu.h"

namespace cae::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class GeluMlp : public torch::autograd::Function<GeluMlp> {
 public:
  /// `master1` and `master2` are where the gradients of `w1` and `w2` go.
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& /*master1*/,
                            const at::Tensor& w1, const at::Tensor& bias1, const at::Tensor& /*master2*/,
                            const at::Tensor& w2) {
    const at::Tensor h = productNoGrad(x, w1);
    ctx->save_for_backward({x, h, w1, bias1, w2});
    return productNoGrad(biasGeluNoGrad(h, bias1), w2);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &h = saved[1], &w1 = saved[2], &bias1 = saved[3], &w2 = saved[4], &dy = grads[0];
    const at::Tensor d = productNoGrad(dy, w2.t());  // [rows, hidden]
    auto [value, dBias1] = biasGeluBackward(h, bias1, d);
    at::Tensor dx, dw1, dw2;
    if (ctx->needs_input_grad(4)) dw2 = productNoGrad(dy.t(), value.t());
    value.reset();
    if (ctx->needs_input_grad(1)) dw1 = productNoGrad(d.t(), x.t());
    if (ctx->needs_input_grad(0)) dx = productNoGrad(d, w1.t());
    return {dx, dw1, {}, dBias1, dw2, {}};
  }
};

}  // namespace

at::Tensor geluMlp(const at::Tensor& x, const ProductWeight& fc1, const at::Tensor& bias1, const ProductWeight& fc2) {
  const bool fused = x.is_cpu() && bias1.scalar_type() == at::kFloat &&
                     (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
  if (!fused) return geluMlpPlain(x, fc1, bias1, fc2);
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  auto shape = x.sizes().vec();
  shape.back() = fc2.master.size(0);
  return GeluMlp::apply(rows, fc1.master, fc1.values().detach(), bias1, fc2.master, fc2.values().detach()).view(shape);
}

at::Tensor geluMlpPlain(const at::Tensor& x, const ProductWeight& fc1, const at::Tensor& bias1,
                        const ProductWeight& fc2) {
  return product(biasGeluPlain(product(x, fc1), bias1), fc2);
}

}  // namespace cae::ops
