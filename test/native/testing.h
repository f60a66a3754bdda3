#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "cases.h"

/// What tests of tensors need besides: a tolerance, and a gradient check.
namespace cae::testing {

/// Fails unless both have one shape and type and differ by at most `tolerance` anywhere.
inline void expectClose(const std::string& name, const at::Tensor& got, const at::Tensor& want, double tolerance) {
  CAE_CHECK(got.defined() && want.defined(), "TEST", name, ": one side is undefined");
  CAE_CHECK(got.sizes() == want.sizes(), "TEST", name, ": shape ", got.sizes(), ", wanted ", want.sizes());
  CAE_CHECK(got.scalar_type() == want.scalar_type(), "TEST", name, ": type ", got.scalar_type(), ", wanted ",
            want.scalar_type());
  if (got.numel() == 0) return;
  const double worst = (got.to(at::kDouble) - want.to(at::kDouble)).abs().max().item<double>();
  CAE_CHECK(worst <= tolerance, "TEST", name, ": differs by ", worst, ", tolerance ", tolerance);
}

/// Seeded normal numbers; a leaf that wants a gradient.
inline at::Tensor numbers(at::IntArrayRef shape, int64_t seed, at::ScalarType type = at::kFloat) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(seed));
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble)).to(type).requires_grad_(true);
}

using Function = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

/// Gradients of the sum of all outputs, each weighted by fixed random numbers, for every defined input.
inline std::vector<at::Tensor> gradients(const Function& f, const std::vector<at::Tensor>& inputs) {
  const auto outputs = f(inputs);
  at::Tensor total = at::zeros({}, at::kDouble);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const at::Tensor weights = numbers(outputs[i].sizes(), 1000 + static_cast<int64_t>(i), at::kDouble).detach();
    total = total + (outputs[i].to(at::kDouble) * weights).sum();
  }
  std::vector<at::Tensor> wanted;
  for (const at::Tensor& t : inputs) {
    if (t.defined()) wanted.push_back(t);
  }
  return torch::autograd::grad({total}, wanted);
}

/// The fast path and the plain one agree, forward and backward.
inline void expectSame(const std::string& name, const Function& fast, const Function& plain,
                       const std::vector<at::Tensor>& inputs, double tolerance, double gradientTolerance) {
  const auto got = fast(inputs), want = plain(inputs);
  for (size_t i = 0; i < want.size(); ++i) expectClose(text(name, " output ", i), got[i], want[i], tolerance);
  const auto gotGrads = gradients(fast, inputs), wantGrads = gradients(plain, inputs);
  for (size_t i = 0; i < wantGrads.size(); ++i) {
    expectClose(text(name, " gradient ", i), gotGrads[i], wantGrads[i], gradientTolerance);
  }
}

/// Gradients against central differences in float64.
inline void expectGradients(const std::string& name, const Function& f, const std::vector<at::Tensor>& inputs,
                            double tolerance = 1e-6) {
  const auto analytic = gradients(f, inputs);
  const auto value = [&] {
    const at::NoGradGuard noGrad;
    double total = 0;
    const auto outputs = f(inputs);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const at::Tensor weights = numbers(outputs[i].sizes(), 1000 + static_cast<int64_t>(i), at::kDouble).detach();
      total += (outputs[i].to(at::kDouble) * weights).sum().item<double>();
    }
    return total;
  };
  constexpr double kStep = 1e-5;
  size_t next = 0;
  for (const at::Tensor& t : inputs) {
    if (!t.defined()) continue;
    const at::Tensor numeric = at::zeros_like(t, at::kDouble).detach();
    auto* data = t.mutable_data_ptr<double>();
    for (int64_t i = 0; i < t.numel(); ++i) {
      const double kept = data[i];
      data[i] = kept + kStep;
      const double above = value();
      data[i] = kept - kStep;
      const double below = value();
      data[i] = kept;
      numeric.mutable_data_ptr<double>()[i] = (above - below) / (2 * kStep);
    }
    expectClose(text(name, " gradient ", next), analytic[next], numeric, tolerance);
    ++next;
  }
}

}  // namespace cae::testing
