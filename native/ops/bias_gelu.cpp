#include "ops/bias_gelu.h"

#include <ATen/ATen.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <numbers>
#include <utility>

#include "ops/rows.h"

namespace cae::ops {
namespace {

using Vec = at::vec::Vectorized<float>;

constexpr float kNormalPeak = 0.3989422804014327F;  // 1/sqrt(2 pi), the standard normal density at 0

/// e^x for x <= 0, cut at -87: 2^n · e^r with |r| <= ln 2 / 2, e^r by the polynomial of Cephes' expf.
[[gnu::always_inline]] inline Vec expOfNegative(const Vec& x) {
  const Vec bounded = at::vec::maximum(x, Vec(-87.0F));
  const Vec n = (bounded * Vec(std::numbers::log2e_v<float>)).round();
  // ln 2 in two parts, the first exact in few bits.
  const Vec r = at::vec::fmadd(n, Vec(2.12194440e-4F), at::vec::fmadd(n, Vec(-0.693359375F), bounded));
  Vec p(1.9875691500e-4F);
  for (const float c : {1.3981999507e-3F, 8.3334519073e-3F, 4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F}) {
    p = at::vec::fmadd(p, r, Vec(c));
  }
  const Vec mantissa = at::vec::fmadd(p, r * r, r + Vec(1.0F));
  const auto exponent = at::vec::convert_to_int_of_same_size(n) + at::vec::Vectorized<int32_t>(127);
  return mantissa * at::vec::cast<float>(exponent << at::vec::Vectorized<int32_t>(23));
}

/// The standard normal distribution at u.
struct Normal {
  Vec cdf;      // 0.5 (1 + erf(u / sqrt 2))
  Vec density;  // without its constant factor: e^(-u²/2)
};

/// erf by Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7; its e^(-z²) is the density's.
[[gnu::always_inline]] inline Normal normalOf(const Vec& u) {
  const Vec e = expOfNegative(u * u * Vec(-0.5F));
  const Vec t = Vec(1.0F) / at::vec::fmadd(u.abs(), Vec(0.3275911F * std::numbers::sqrt2_v<float> / 2), Vec(1.0F));
  Vec p(1.061405429F);
  for (const float c : {-1.453152027F, 1.421413741F, -0.284496736F, 0.254829592F}) p = at::vec::fmadd(p, t, Vec(c));
  const Vec tail = p * t * e * Vec(0.5F);  // the smaller of cdf(u) and 1 - cdf(u)
  return {.cdf = Vec::blendv(tail, Vec(1.0F) - tail, u > Vec(0.0F)), .density = e};
}

/// The derivative of u · cdf(u).
[[gnu::always_inline]] inline Vec slopeOf(const Vec& u, const Normal& at) {
  return at::vec::fmadd(u * Vec(kNormalPeak), at.density, at.cdf);
}

/// Two vectors side by side: as many float32 values as one vector holds bfloat16 ones.
struct Pair {
  Vec low, high;

  static constexpr int64_t size() { return 2 * Vec::size(); }

  template <class F>
  Pair map(const F& f) const {
    return {f(low), f(high)};
  }
};

Pair operator+(const Pair& a, const Pair& b) { return {a.low + b.low, a.high + b.high}; }
Pair operator*(const Pair& a, const Pair& b) { return {a.low * b.low, a.high * b.high}; }

/// How many of `count` values lie in each half of a pair.
int64_t lowCount(int64_t count) { return std::min<int64_t>(count, Vec::size()); }
int64_t highCount(int64_t count) { return std::max<int64_t>(count - Vec::size(), 0); }

/// Up to Pair::size() values as float32, widened in registers; the rest of the pair is unspecified but finite.
Pair load(const float* from, int64_t count) {
  return {Vec::loadu(from, lowCount(count)), Vec::loadu(from + lowCount(count), highCount(count))};
}

Pair load(const c10::BFloat16* from, int64_t count) {
  const auto [low, high] = at::vec::convert_bfloat16_float(at::vec::Vectorized<c10::BFloat16>::loadu(from, count));
  return {low, high};
}

void store(const Pair& v, float* to, int64_t count) {
  v.low.store(to, static_cast<int>(lowCount(count)));
  v.high.store(to + lowCount(count), static_cast<int>(highCount(count)));
}

void store(const Pair& v, c10::BFloat16* to, int64_t count) {
  at::vec::convert_float_bfloat16(v.low, v.high).store(to, static_cast<int>(count));
}

/// Runs body(offset, count) over `width` values in pairs; count is a constant except for the last.
template <class Body>
void forPairs(int64_t width, const Body& body) {
  int64_t i = 0;
  for (; i + Pair::size() <= width; i += Pair::size()) body(i, Pair::size());
  if (i < width) body(i, width - i);
}

template <class F>
void dispatch(at::ScalarType type, const F& f) {
  if (type == at::kBFloat16) return f(c10::BFloat16{});
  f(float{});
}

}  // namespace

at::Tensor biasGeluNoGrad(const at::Tensor& h, const at::Tensor& bias) {
  const int64_t width = h.size(-1), rows = h.numel() / width;
  at::Tensor out = at::empty_like(h);
  dispatch(h.scalar_type(), [&](auto t) {
    using T = decltype(t);
    const T* in = h.const_data_ptr<T>();
    const float* b = bias.const_data_ptr<float>();
    T* y = out.mutable_data_ptr<T>();
    forRowParts(rows, [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t at = row * width;
        forPairs(width, [&](int64_t i, int64_t count) {
          const Pair u = load(in + at + i, count) + load(b + i, count);
          store(u.map([](const Vec& v) { return v * normalOf(v).cdf; }), y + at + i, count);
        });
      }
    });
  });
  return out;
}

BiasGeluBackward biasGeluBackward(const at::Tensor& h, const at::Tensor& bias, const at::Tensor& d) {
  const int64_t width = h.size(-1), rows = h.numel() / width, parts = rowParts(rows);
  at::Tensor value = at::empty_like(h);
  const at::Tensor sums = at::zeros({parts, width}, bias.options());
  dispatch(h.scalar_type(), [&](auto t) {
    using T = decltype(t);
    const T* in = h.const_data_ptr<T>();
    const float* b = bias.const_data_ptr<float>();
    T *y = value.mutable_data_ptr<T>(), *g = d.mutable_data_ptr<T>();
    float* collected = sums.mutable_data_ptr<float>();
    forRowParts(rows, [&](int64_t part, int64_t begin, int64_t end) {
      float* sum = collected + part * width;
      for (int64_t row = begin; row < end; ++row) {
        const int64_t at = row * width;
        forPairs(width, [&](int64_t i, int64_t count) {
          const Pair u = load(in + at + i, count) + load(b + i, count);
          const auto [low, high] = std::pair(normalOf(u.low), normalOf(u.high));
          store(u * Pair{low.cdf, high.cdf}, y + at + i, count);
          const Pair slope = {slopeOf(u.low, low), slopeOf(u.high, high)};
          const Pair gradient = load(g + at + i, count) * slope;
          store(gradient, g + at + i, count);
          store(load(sum + i, count) + gradient, sum + i, count);
        });
      }
    });
  });
  return {.value = value, .dBias = parts == 1 ? sums[0] : sums.sum(0)};
}

at::Tensor biasGeluPlain(const at::Tensor& h, const at::Tensor& bias) {
  return at::gelu(h.to(bias.scalar_type()) + bias).to(h.scalar_type());
}

at::Tensor biasQuickGelu(const at::Tensor& h, const at::Tensor& bias) {
  const at::Tensor u = h.to(bias.scalar_type()) + bias;
  return (u * at::sigmoid(1.702 * u)).to(h.scalar_type());
}

}  // namespace cae::ops
