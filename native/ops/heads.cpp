#include "ops/heads.h"

#include <ATen/ATen.h>

#include <type_traits>

#include "ops/rows.h"

namespace cae::ops {
namespace {

/// Calls f(T{}, S{}) for the type of the products and that of the sums and biases.
template <class F>
void dispatch(at::ScalarType type, const F& f) {
  if (type == at::kDouble) return f(double{}, double{});
  if (type == at::kBFloat16) return f(c10::BFloat16{}, float{});
  f(float{}, float{});
}

bool isFused(const at::Tensor& x) {
  const auto type = x.scalar_type();
  return x.is_cpu() && (type == at::kFloat || type == at::kBFloat16 || type == at::kDouble);
}

/// Where the tokens of both layouts lie.
struct Layout {
  int64_t batch, tokens, heads, width;  // width: Dh
  int64_t sampleStride, tokenStride;    // of the token-major side

  Layout(const at::Tensor& tokenMajor, int64_t headCount)
      : batch(tokenMajor.size(0)),
        tokens(tokenMajor.size(1)),
        heads(headCount),
        width(tokenMajor.size(2) / headCount),
        sampleStride(tokenMajor.stride(0)),
        tokenStride(tokenMajor.stride(1)) {}

  int64_t rows() const { return batch * tokens; }
  int64_t tokenMajor(int64_t row) const { return row / tokens * sampleStride + row % tokens * tokenStride; }
  int64_t headMajor(int64_t row, int64_t head) const {
    return ((row / tokens * heads + head) * tokens + row % tokens) * width;
  }
};

template <class T, class S>
void splitRow(const T* from, const S* bias, S scale, int64_t width, T* to) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) to[i] = narrow<T>((widen(from[i]) + (bias != nullptr ? bias[i] : S(0))) * scale);
}

template <class T, class S>
void mergeRow(const T* from, S scale, int64_t width, T* to, S* sum) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    const S value = widen(from[i]) * scale;
    to[i] = narrow<T>(value);
    sum[i] += value;
  }
}

}  // namespace

at::Tensor splitHeads(const at::Tensor& given, int64_t heads, const at::Tensor& bias, double scale) {
  const at::Tensor x = given.stride(2) == 1 ? given : given.contiguous();
  const Layout at(x, heads);
  if (!isFused(x)) {
    const at::Tensor biased = bias.defined() ? x + bias.to(x.scalar_type()) : x;
    return (biased * scale).unflatten(2, {heads, at.width}).transpose(1, 2).reshape({-1, at.tokens, at.width});
  }
  const at::Tensor out = at::empty({at.batch * heads, at.tokens, at.width}, x.options());
  dispatch(x.scalar_type(), [&]<class T, class S>(T, S) {
    const T* from = x.const_data_ptr<T>();
    const S* b = bias.defined() ? bias.const_data_ptr<S>() : nullptr;
    T* to = out.mutable_data_ptr<T>();
    forRowParts(at.rows(), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t head = 0; head < heads; ++head) {
          const int64_t column = head * at.width;
          splitRow<T, S>(from + at.tokenMajor(row) + column, b != nullptr ? b + column : nullptr, static_cast<S>(scale),
                         at.width, to + at.headMajor(row, head));
        }
      }
    });
  });
  return out;
}

at::Tensor mergeHeads(const at::Tensor& x, int64_t batch, const at::Tensor& given) {
  const int64_t heads = x.size(0) / batch, tokens = x.size(1), width = x.size(2);
  const at::Tensor merged = x.view({batch, heads, tokens, width}).transpose(1, 2);  // [B, N, heads, Dh]
  if (!given.defined()) return merged.reshape({batch, tokens, heads * width});
  given.view({batch, tokens, heads, width}).copy_(merged);
  return given;
}

at::Tensor mergeHeadsAndSum(const at::Tensor& x, double scale, const at::Tensor& out, at::ScalarType sumType) {
  const int64_t heads = x.size(0) / out.size(0), dim = out.size(2);
  const Layout at(out, heads);
  if (!isFused(x)) {
    mergeHeads(x * scale, at.batch, out);
    return out.sum({0, 1}, false, sumType);
  }
  const int64_t parts = rowParts(at.rows());
  const at::Tensor sums = at::zeros({parts, dim}, x.options().dtype(sumType));
  dispatch(x.scalar_type(), [&]<class T, class S>(T, S) {
    const T* from = x.const_data_ptr<T>();
    T* to = out.mutable_data_ptr<T>();
    S* collected = sums.mutable_data_ptr<S>();
    forRowParts(at.rows(), [&](int64_t part, int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t head = 0; head < heads; ++head) {
          const int64_t column = head * at.width;
          mergeRow<T, S>(from + at.headMajor(row, head), static_cast<S>(scale), at.width,
                         to + at.tokenMajor(row) + column, collected + part * dim + column);
        }
      }
    });
  });
  return parts == 1 ? sums[0] : sums.sum(0);
}

}  // namespace cae::ops
