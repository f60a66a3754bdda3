#include "ops/gelu_mlp.h"

#include <ATen/CPUGeneratorImpl.h>

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

/// Inputs: x, fc1, its bias, fc2; a weight in another type than x is the master of one that is converted.
Function with(decltype(ops::geluMlp)* mlp) {
  return [mlp](const auto& in) {
    const auto weight = [&](const at::Tensor& master) {
      const bool isSame = master.scalar_type() == in[0].scalar_type();
      return ops::ProductWeight{.master = master,
                                .cast = isSame ? at::Tensor() : master.detach().to(in[0].scalar_type())};
    };
    return std::vector{mlp(in[0], weight(in[1]), in[2], weight(in[3]))};
  };
}

Function fused() { return with(ops::geluMlp); }

Function plain() { return with(ops::geluMlpPlain); }

void fusedMatchesPlain() {
  for (const auto& [rows, hidden] : {std::array<int64_t, 2>{1, 1}, {1, 7}, {5, 16}, {3, 33}, {17, 96}}) {
    expectSame(text(rows, " rows, ", hidden, " hidden"), fused(), plain(),
               {numbers({2, rows, 5}, 1), numbers({hidden, 5}, 2), numbers({hidden}, 3), numbers({6, hidden}, 4)}, 4e-5,
               4e-4);
  }
}

/// GELU alone: both products are with the identity. Far from zero it is 0 or its argument, and must not become NaN on
/// the way.
void tailsAreFinite() {
  const at::Tensor x = at::tensor({-1e4F, -30.0F, -6.0F, 0.0F, 6.0F, 30.0F, 1e4F}).unsqueeze(0).requires_grad_(true);
  const at::Tensor one = at::eye(7);
  const auto gelu = [&](decltype(ops::geluMlp)* mlp) {
    return [&one, mlp](const auto& in) { return std::vector{mlp(in[0], {one}, in[1], {one})}; };
  };
  expectSame("tails", gelu(ops::geluMlp), gelu(ops::geluMlpPlain), {x, at::zeros({7}).requires_grad_(true)}, 1e-6,
             1e-6);
}

void gradientsAreRight() {
  expectGradients("plain path", fused(),
                  {numbers({2, 3}, 1, at::kDouble), numbers({5, 3}, 2, at::kDouble), numbers({5}, 3, at::kDouble),
                   numbers({4, 5}, 4, at::kDouble)});
}

void lowPrecisionIsNear() {
  const at::Tensor x = (numbers({9, 40}, 1).detach() / 6).to(at::kBFloat16).requires_grad_(true);
  expectSame("bf16", fused(), plain(), {x, numbers({32, 40}, 2), numbers({32}, 3), numbers({8, 32}, 4)}, 0.15, 0.5);
}

/// Of frozen weights no gradient is made, and those of the others stay the same.
void frozenWeightsGetNone() {
  const std::vector<at::Tensor> in = {numbers({4, 6}, 1), numbers({8, 6}, 2), numbers({8}, 3), numbers({3, 8}, 4)};
  const auto whole = gradients(fused(), in);
  const Function frozen = [](const auto& some) {
    return fused()({some[0], numbers({8, 6}, 2).detach(), some[1], numbers({3, 8}, 4).detach()});
  };
  const auto part = gradients(frozen, {in[0], in[2]});
  expectClose("x", part[0], whole[0], 0);
  expectClose("bias", part[1], whole[2], 0);
}

}  // namespace

int main() {
  return runAll({{"the fused MLP equals the plain one at any width", fusedMatchesPlain},
                 {"values and gradients of GELU are finite far from zero", tailsAreFinite},
                 {"gradients equal central differences", gradientsAreRight},
                 {"bfloat16 stays near", lowPrecisionIsNear},
                 {"frozen weights get no gradient", frozenWeightsGetNone}});
}
