#include "ops/bias_gelu.h"

#include <ATen/CPUGeneratorImpl.h>

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

Function fused() {
  return [](const auto& in) { return std::vector{ops::biasGelu(in[0], in[1])}; };
}

Function plain() {
  return [](const auto& in) { return std::vector{ops::biasGeluPlain(in[0], in[1])}; };
}

void fusedMatchesPlain() {
  for (const auto& [rows, width] : {std::array<int64_t, 2>{1, 1}, {1, 7}, {5, 16}, {3, 33}, {17, 96}}) {
    expectSame(text("[", rows, ", ", width, "]"), fused(), plain(), {numbers({rows, width}, 1), numbers({width}, 2)},
               2e-6, 1e-5);
  }
}

/// Far from zero the function is 0 or the identity, and must not become NaN on the way.
void tailsAreFinite() {
  const at::Tensor x = at::tensor({-1e4F, -30.0F, -6.0F, 0.0F, 6.0F, 30.0F, 1e4F}).unsqueeze(0).requires_grad_(true);
  expectSame("tails", fused(), plain(), {x, at::zeros({7}).requires_grad_(true)}, 1e-6, 1e-6);
}

void gradientsAreRight() {
  expectGradients("plain path", fused(), {numbers({2, 5}, 1, at::kDouble), numbers({5}, 2, at::kDouble)});
}

void lowPrecisionIsNear() {
  const at::Tensor h = numbers({9, 40}, 1).detach().to(at::kBFloat16).requires_grad_(true), bias = numbers({40}, 2);
  expectSame("bf16", fused(), plain(), {h, bias}, 0.02, 0.06);
}

}  // namespace

int main() {
  return runAll({{"fused bias and GELU equal the plain ones at any width", fusedMatchesPlain},
                 {"values and gradients are finite far from zero", tailsAreFinite},
                 {"gradients equal central differences", gradientsAreRight},
                 {"bfloat16 stays near", lowPrecisionIsNear}});
}
