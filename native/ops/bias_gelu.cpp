#include "ops/bias_gelu.h"

#include <ATen/ATen.h>
#include <ATen/cpu/vec/vec.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numbers>

#include "ops/rows.h"

namespace cae::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Vec = at::vec::Vectorized<float>;

constexpr float kHalfSqrt2 = std::numbers::sqrt2_v<float> / 2;
constexpr float kNormalPeak = 0.3989422804014327F;  // 1/sqrt(2 pi), the standard normal density at 0

/// The normal distribution function, 0.5 (1 + erf(u / sqrt 2)).
Vec normalCdf(const Vec& u) { return Vec(0.5F) * (Vec(1.0F) + (u * Vec(kHalfSqrt2)).erf()); }

Vec normalDensity(const Vec& u) { return Vec(kNormalPeak) * (u * u * Vec(-0.5F)).exp(); }

/// Up to Vec::size() values as float32; the rest of the vector is unspecified but finite.
template <class T>
Vec load(const T* from, int64_t count) {
  if constexpr (std::is_same_v<T, float>) {
    return Vec::loadu(from, count);
  } else {
    __at_align__ float wide[Vec::size()] = {};
    for (int64_t i = 0; i < count; ++i) wide[i] = widen(from[i]);
    return Vec::loadu(wide);
  }
}

template <class T>
void store(const Vec& v, T* to, int64_t count) {
  if constexpr (std::is_same_v<T, float>) {
    v.store(to, static_cast<int>(count));
  } else {
    __at_align__ float wide[Vec::size()];
    v.store(wide);
    for (int64_t i = 0; i < count; ++i) to[i] = narrow<T>(wide[i]);
  }
}

/// Runs body(offset, count) over `width` values in vectors; count is a constant except for the last.
template <class Body>
void forVectors(int64_t width, const Body& body) {
  int64_t i = 0;
  for (; i + Vec::size() <= width; i += Vec::size()) body(i, static_cast<int64_t>(Vec::size()));
  if (i < width) body(i, width - i);
}

template <class F>
void dispatch(at::ScalarType type, const F& f) {
  if (type == at::kBFloat16) return f(c10::BFloat16{});
  f(float{});
}

class FusedBiasGelu : public torch::autograd::Function<FusedBiasGelu> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& h, const at::Tensor& bias) {
    const int64_t width = h.size(-1), rows = h.numel() / width;
    const at::Tensor out = at::empty_like(h);
    dispatch(h.scalar_type(), [&](auto t) {
      using T = decltype(t);
      const T* in = h.const_data_ptr<T>();
      const float* b = bias.const_data_ptr<float>();
      T* y = out.mutable_data_ptr<T>();
      forRowParts(rows, [&](int64_t, int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t at = row * width;
          forVectors(width, [&](int64_t i, int64_t count) {
            const Vec u = load(in + at + i, count) + Vec::loadu(b + i, count);
            store(u * normalCdf(u), y + at + i, count);
          });
        }
      });
    });
    ctx->save_for_backward({h, bias});
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &h = saved[0], &bias = saved[1];
    const at::Tensor dy = grads[0].contiguous();
    const int64_t width = h.size(-1), rows = h.numel() / width, parts = rowParts(rows);
    const at::Tensor dh = at::empty_like(h);
    const at::Tensor sums = at::zeros({parts, width}, bias.options());
    dispatch(h.scalar_type(), [&](auto t) {
      using T = decltype(t);
      const T *in = h.const_data_ptr<T>(), *g = dy.const_data_ptr<T>();
      const float* b = bias.const_data_ptr<float>();
      T* out = dh.mutable_data_ptr<T>();
      float* collected = sums.mutable_data_ptr<float>();
      forRowParts(rows, [&](int64_t part, int64_t begin, int64_t end) {
        float* sum = collected + part * width;
        for (int64_t row = begin; row < end; ++row) {
          const int64_t at = row * width;
          forVectors(width, [&](int64_t i, int64_t count) {
            const Vec u = load(in + at + i, count) + Vec::loadu(b + i, count);
            const Vec d = load(g + at + i, count) * (normalCdf(u) + u * normalDensity(u));
            store(d, out + at + i, count);
            (Vec::loadu(sum + i, count) + d).store(sum + i, static_cast<int>(count));
          });
        }
      });
    });
    return {dh, parts == 1 ? sums[0] : sums.sum(0)};
  }
};

}  // namespace

at::Tensor biasGelu(const at::Tensor& h, const at::Tensor& bias) {
  const bool fused = h.is_cpu() && bias.scalar_type() == at::kFloat &&
                     (h.scalar_type() == at::kFloat || h.scalar_type() == at::kBFloat16);
  return fused ? FusedBiasGelu::apply(h.contiguous(), bias) : biasGeluPlain(h, bias);
}

at::Tensor biasGeluPlain(const at::Tensor& h, const at::Tensor& bias) {
  return at::gelu(h.to(bias.scalar_type()) + bias).to(h.scalar_type());
}

}  // namespace cae::ops
