#include "ops/product.h"

#include <ATen/CPUGeneratorImpl.h>

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

Function product() {
  return [](const auto& in) { return std::vector{ops::product(in[0], {in[1]})}; };
}

Function plain() {
  return [](const auto& in) { return std::vector{at::matmul(in[0], in[1].t())}; };
}

void matchesPlain() {
  for (const auto& [rows, in, out] : {std::array<int64_t, 3>{1, 1, 1}, {1, 24, 7}, {14, 24, 96}, {99, 33, 65}}) {
    expectSame(text(rows, " x ", in, " -> ", out), product(), plain(),
               {numbers({2, rows, in}, 1), numbers({out, in}, 2)}, 1e-4, 2e-3);
  }
}

void gradientsAreRight() {
  expectGradients("product", product(), {numbers({2, 3, 4}, 1, at::kDouble), numbers({5, 4}, 2, at::kDouble)});
}

/// The gradient of a converted weight arrives at the weight itself, in its own type.
void gradientReachesMaster() {
  const at::Tensor x = numbers({6, 16}, 1).detach().to(at::kBFloat16).requires_grad_(true), w = numbers({8, 16}, 2);
  const at::Tensor y = ops::product(x, {w, w.detach().to(at::kBFloat16)});
  CAE_CHECK(y.scalar_type() == at::kBFloat16, "TEST", "the product is ", y.scalar_type());
  const auto grads = torch::autograd::grad({y.to(at::kFloat).sum()}, {x, w});
  CAE_CHECK(grads[1].scalar_type() == at::kFloat, "TEST", "the weight's gradient is ", grads[1].scalar_type());
  expectClose("weight", grads[1], x.detach().to(at::kFloat).sum(0).expand({8, 16}), 0.1);
}

}  // namespace

int main() {
  return runAll({{"products equal libtorch's, forward and backward", matchesPlain},
                 {"gradients equal central differences", gradientsAreRight},
                 {"a converted weight's gradient reaches the weight", gradientReachesMaster}});
}
