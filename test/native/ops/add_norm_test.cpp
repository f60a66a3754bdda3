#include "ops/add_norm.h"

#include <ATen/CPUGeneratorImpl.h>

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

/// Which parts of a residual are there.
struct Parts {
  bool branch, bias, gamma, drop;
};

constexpr Parts kParts[] = {{false, false, false, false}, {true, false, false, false}, {true, true, false, false},
                            {true, true, true, false},    {true, true, true, true},    {true, false, false, true}};

constexpr double kEps = 1e-6;

/// x, norm weight, norm bias, then the residual's tensors that are there.
std::vector<at::Tensor> inputs(const Parts& p, int64_t batch, int64_t tokens, int64_t dim, at::ScalarType type) {
  const at::Tensor none;
  return {numbers({batch, tokens, dim}, 1, type),
          numbers({dim}, 2, type),
          numbers({dim}, 3, type),
          p.branch ? numbers({batch, tokens, dim}, 4, type) : none,
          p.bias ? numbers({dim}, 5, type) : none,
          p.gamma ? numbers({dim}, 6, type) : none};
}

ops::Residual residual(const Parts& p, const std::vector<at::Tensor>& in) {
  const auto options = in[0].options().requires_grad(false);
  // Samples alternate between dropped and kept.
  const at::Tensor drop = p.drop ? at::arange(in[0].size(0), options).remainder(2).mul(1.25) : at::Tensor();
  return {.branch = in[3], .bias = in[4], .gamma = in[5], .dropScale = drop};
}

Function fused(const Parts& p) {
  return [=](const auto& in) {
    const auto out = ops::addNorm(in[0], residual(p, in), in[1], in[2], kEps, in[0].scalar_type());
    return std::vector{out.sum, out.normed};
  };
}

Function plain(const Parts& p) {
  return [=](const auto& in) {
    const auto out = ops::addNormPlain(in[0], residual(p, in), in[1], in[2], kEps, in[0].scalar_type());
    return std::vector{out.sum, out.normed};
  };
}

void fusedMatchesPlain() {
  for (const Parts& p : kParts) {
    for (const auto& [batch, tokens, dim] : {std::array<int64_t, 3>{1, 1, 4}, {3, 7, 24}, {2, 98, 33}, {5, 1, 64}}) {
      expectSame(text("[", batch, ", ", tokens, ", ", dim, "] ", p.branch, p.bias, p.gamma, p.drop), fused(p), plain(p),
                 inputs(p, batch, tokens, dim, at::kFloat), 1e-5, 2e-4);
    }
  }
}

void gradientsAreRight() {
  for (const Parts& p : kParts) expectGradients("addNorm", fused(p), inputs(p, 2, 3, 5, at::kDouble));
}

void residualAloneMatchesPlain() {
  for (const Parts& p : kParts) {
    if (!p.branch) continue;
    auto in = inputs(p, 3, 5, 12, at::kFloat);
    in[1] = in[2] = at::Tensor();  // no norm
    expectSame(
        "residual", [&](const auto& t) { return std::vector{ops::addResidual(t[0], residual(p, t))}; },
        [&](const auto& t) { return std::vector{ops::addResidualPlain(t[0], residual(p, t))}; }, in, 1e-6, 1e-5);
    in = inputs(p, 2, 2, 3, at::kDouble);
    in[1] = in[2] = at::Tensor();
    expectGradients("residual", [&](const auto& t) { return std::vector{ops::addResidual(t[0], residual(p, t))}; }, in);
  }
}

/// Only one of the two results is used further on: the other brings no gradient.
void oneResultMayBeUnused() {
  const Parts p = {true, true, true, false};
  const auto in = inputs(p, 2, 3, 8, at::kFloat);
  for (const size_t kept : {size_t{0}, size_t{1}}) {
    std::vector<at::Tensor> wanted = {in[0], in[3]};
    const auto got = torch::autograd::grad({fused(p)(in)[kept].sum()}, wanted);
    const auto want = torch::autograd::grad({plain(p)(in)[kept].sum()}, wanted);
    for (size_t i = 0; i < got.size(); ++i) expectClose(text("result ", kept, " gradient ", i), got[i], want[i], 1e-5);
  }
}

void lowPrecisionIsNear() {
  const Parts p = {true, true, true, true};
  const auto in = inputs(p, 3, 7, 24, at::kFloat);
  auto r = residual(p, in);
  r.branch = r.branch.to(at::kBFloat16);
  const auto got = ops::addNorm(in[0], r, in[1], in[2], kEps, at::kBFloat16);
  const auto want = ops::addNormPlain(in[0], r, in[1], in[2], kEps, at::kBFloat16);
  expectClose("sum", got.sum, want.sum, 1e-5);
  expectClose("normed", got.normed, want.normed, 0.04);  // one unit of bfloat16 at 4
}

}  // namespace

int main() {
  return runAll({{"fused residual and norm equal the plain ones, whatever parts are there", fusedMatchesPlain},
                 {"gradients equal central differences", gradientsAreRight},
                 {"the residual alone equals the plain one", residualAloneMatchesPlain},
                 {"either result may be left unused", oneResultMayBeUnused},
                 {"bfloat16 branch and result stay near", lowPrecisionIsNear}});
}
