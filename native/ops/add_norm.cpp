#include "ops/add_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <optional>
#include <vector>

#include "ops/rows.h"

namespace cae::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class S>
const S* pointer(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<S>() : nullptr;
}

template <class S>
S* mutablePointer(const at::Tensor& t) {
  return t.defined() ? t.mutable_data_ptr<S>() : nullptr;
}

/// Autograd functions refuse undefined tensors among their arguments, but not absent ones.
using Maybe = std::optional<at::Tensor>;

Maybe orAbsent(const at::Tensor& t) { return t.defined() ? Maybe(t) : std::nullopt; }

at::Tensor orUndefined(const Maybe& t) { return t.value_or(at::Tensor()); }

at::ScalarType typeOf(const at::Tensor& t, at::ScalarType absent) { return t.defined() ? t.scalar_type() : absent; }

/// Calls f(S{}, T{}, U{}) for the types of the stream (and of all vectors), the branch and the normed result.
template <class F>
void dispatch(at::ScalarType stream, at::ScalarType branch, at::ScalarType normed, const F& f) {
  if (stream == at::kDouble) return f(double{}, double{}, double{});
  if (branch == at::kBFloat16 && normed == at::kBFloat16) return f(float{}, c10::BFloat16{}, c10::BFloat16{});
  if (branch == at::kBFloat16) return f(float{}, c10::BFloat16{}, float{});
  if (normed == at::kBFloat16) return f(float{}, float{}, c10::BFloat16{});
  f(float{}, float{}, float{});
}

/// sum = x + drop · gamma ⊙ (branch + bias); null bias or gamma is left out.
template <class S, class T>
void addRow(const S* x, const T* branch, const S* bias, const S* gamma, S drop, int64_t dim, S* sum) {
#pragma omp simd
  for (int64_t i = 0; i < dim; ++i) {
    const S added = widen(branch[i]) + (bias != nullptr ? bias[i] : S(0));
    sum[i] = x[i] + drop * (gamma != nullptr ? gamma[i] : S(1)) * added;
  }
}

/// normed = LayerNorm(x) · weight + bias; leaves mean and 1/std for the way back.
template <class S, class U>
void normRow(const S* x, const S* weight, const S* bias, S eps, int64_t dim, U* normed, S* mean, S* rstd) {
  S total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < dim; ++i) total += x[i];
  const S mu = total / static_cast<S>(dim);
  S squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < dim; ++i) squares += (x[i] - mu) * (x[i] - mu);
  const S r = S(1) / std::sqrt(squares / static_cast<S>(dim) + eps);
#pragma omp simd
  for (int64_t i = 0; i < dim; ++i) normed[i] = narrow<U>((x[i] - mu) * r * weight[i] + bias[i]);
  *mean = mu;
  *rstd = r;
}

/// dx = gradient of the norm's input, plus `dSum` when given; adds to dWeight and dBias.
template <class S, class U>
void normRowBackward(const S* x, const S* weight, S mean, S rstd, const U* dNormed, const S* dSum, int64_t dim, S* dx,
                     S* dWeight, S* dBias) {
  S c1 = 0, c2 = 0;
#pragma omp simd reduction(+ : c1, c2)
  for (int64_t i = 0; i < dim; ++i) {
    const S g = widen(dNormed[i]);
    const S xhat = (x[i] - mean) * rstd;
    c1 += g * weight[i];
    c2 += g * weight[i] * xhat;
    dWeight[i] += g * xhat;
    dBias[i] += g;
  }
  c1 /= static_cast<S>(dim);
  c2 /= static_cast<S>(dim);
#pragma omp simd
  for (int64_t i = 0; i < dim; ++i) {
    const S xhat = (x[i] - mean) * rstd;
    const S d = rstd * (widen(dNormed[i]) * weight[i] - c1 - xhat * c2);
    dx[i] = dSum != nullptr ? d + dSum[i] : d;
  }
}

/// Gradient of addRow's branch from `dSum`; adds to dBias, and to dGamma where there is a gamma.
template <class S, class T>
void addRowBackward(const S* dSum, const T* branch, const S* bias, const S* gamma, S drop, int64_t dim, T* dBranch,
                    S* dBias, S* dGamma) {
#pragma omp simd
  for (int64_t i = 0; i < dim; ++i) {
    const S d = drop * dSum[i];
    const S scaled = gamma != nullptr ? d * gamma[i] : d;
    if (gamma != nullptr) dGamma[i] += d * (widen(branch[i]) + (bias != nullptr ? bias[i] : S(0)));
    dBias[i] += scaled;
    dBranch[i] = narrow<T>(scaled);
  }
}

/// Gradient sums that one part of the rows collects: four vectors of D.
enum Sum { kWeight, kNormBias, kGamma, kBias, kSums };

/// An undefined `branch` leaves out the residual, an undefined `weight` the norm. Outputs: the parts that are there.
class FusedAddNorm : public torch::autograd::Function<FusedAddNorm> {
 public:
  static variable_list forward(AutogradContext* ctx, const at::Tensor& x, const Maybe& maybeBranch,
                               const Maybe& maybeBias, const Maybe& maybeGamma, const Maybe& maybeDropScale,
                               const Maybe& maybeWeight, const Maybe& maybeNormBias, double eps, int64_t normedType) {
    const at::Tensor branch = orUndefined(maybeBranch), bias = orUndefined(maybeBias), gamma = orUndefined(maybeGamma),
                     dropScale = orUndefined(maybeDropScale), weight = orUndefined(maybeWeight),
                     normBias = orUndefined(maybeNormBias);
    const auto type = static_cast<at::ScalarType>(normedType);
    const int64_t dim = x.size(-1), rows = x.numel() / dim, rowsPerSample = rows / x.size(0);
    const at::Tensor sum = branch.defined() ? at::empty_like(x) : x;
    const at::Tensor normed = weight.defined() ? at::empty(x.sizes(), x.options().dtype(type)) : at::Tensor();
    const at::Tensor stats = weight.defined() ? at::empty({2, rows}, x.options()) : at::Tensor();
    dispatch(x.scalar_type(), typeOf(branch, type), type, [&]<class S, class T, class U>(S, T, U) {
      const S *in = pointer<S>(x), *b = pointer<S>(bias), *g = pointer<S>(gamma), *drops = pointer<S>(dropScale),
              *w = pointer<S>(weight), *nb = pointer<S>(normBias);
      const T* from = pointer<T>(branch);
      S* total = branch.defined() ? sum.mutable_data_ptr<S>() : nullptr;
      U* out = mutablePointer<U>(normed);
      S* mean = mutablePointer<S>(stats);
      forRowParts(rows, [&](int64_t, int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const int64_t at = row * dim;
          const S* stream = in + at;
          if (from != nullptr) {
            addRow<S, T>(stream, from + at, b, g, drops != nullptr ? drops[row / rowsPerSample] : S(1), dim,
                         total + at);
            stream = total + at;
          }
          if (w != nullptr)
            normRow<S, U>(stream, w, nb, static_cast<S>(eps), dim, out + at, mean + row, mean + rows + row);
        }
      });
    });
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({sum, branch, bias, gamma, dropScale, weight, stats});
    ctx->saved_data["type"] = normedType;
    if (!branch.defined()) return {normed};
    if (!weight.defined()) return {sum};
    return {sum, normed};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &sum = saved[0], &branch = saved[1], &bias = saved[2], &gamma = saved[3], &dropScale = saved[4],
                     &weight = saved[5], &stats = saved[6];
    const auto type = static_cast<at::ScalarType>(ctx->saved_data["type"].toInt());
    const bool joined = branch.defined();
    at::Tensor dSum = joined ? grads[0] : at::Tensor();
    if (dSum.defined()) dSum = dSum.contiguous();
    at::Tensor dNormed = weight.defined() ? grads.back() : at::Tensor();
    if (dNormed.defined()) dNormed = dNormed.to(type).contiguous();
    const int64_t dim = sum.size(-1), rows = sum.numel() / dim, rowsPerSample = rows / sum.size(0),
                  parts = rowParts(rows);
    // Without a norm the stream's gradient passes through unchanged.
    const at::Tensor dx = dNormed.defined() ? at::empty_like(sum) : dSum;
    const at::Tensor dBranch = joined ? at::empty_like(branch) : at::Tensor();
    const at::Tensor sums = at::zeros({parts, kSums, dim}, sum.options());
    dispatch(sum.scalar_type(), typeOf(branch, type), type, [&]<class S, class T, class U>(S, T, U) {
      const S *stream = pointer<S>(sum), *b = pointer<S>(bias), *g = pointer<S>(gamma), *drops = pointer<S>(dropScale),
              *w = pointer<S>(weight), *ds = pointer<S>(dSum), *mean = pointer<S>(stats);
      const T* from = pointer<T>(branch);
      const U* dn = pointer<U>(dNormed);
      S* out = dNormed.defined() ? dx.mutable_data_ptr<S>() : nullptr;
      const S* given = pointer<S>(dx);
      T* db = mutablePointer<T>(dBranch);
      S* collected = sums.mutable_data_ptr<S>();
      forRowParts(rows, [&](int64_t part, int64_t begin, int64_t end) {
        S* mine = collected + part * kSums * dim;
        for (int64_t row = begin; row < end; ++row) {
          const int64_t at = row * dim;
          if (dn != nullptr) {
            normRowBackward<S, U>(stream + at, w, mean[row], mean[rows + row], dn + at,
                                  ds != nullptr ? ds + at : nullptr, dim, out + at, mine + kWeight * dim,
                                  mine + kNormBias * dim);
          }
          if (db != nullptr) {
            addRowBackward<S, T>(given + at, from + at, b, g, drops != nullptr ? drops[row / rowsPerSample] : S(1), dim,
                                 db + at, mine + kBias * dim, mine + kGamma * dim);
          }
        }
      });
    });
    const at::Tensor total = parts == 1 ? sums[0] : sums.sum(0);
    const at::Tensor none;
    return {dx,
            dBranch,
            bias.defined() ? total[kBias] : none,
            gamma.defined() ? total[kGamma] : none,
            none,
            dNormed.defined() ? total[kWeight] : none,
            dNormed.defined() ? total[kNormBias] : none,
            none,
            none};
  }
};

}  // namespace

AddNorm addNorm(const at::Tensor& x, const Residual& r, const at::Tensor& weight, const at::Tensor& bias, double eps,
                at::ScalarType normedType) {
  if (!x.is_cpu()) return addNormPlain(x, r, weight, bias, eps, normedType);
  const at::Tensor branch = r.branch.defined() ? r.branch.contiguous() : r.branch;
  const variable_list out =
      FusedAddNorm::apply(x.contiguous(), orAbsent(branch), orAbsent(r.bias), orAbsent(r.gamma), orAbsent(r.dropScale),
                          Maybe(weight), Maybe(bias), eps, static_cast<int64_t>(normedType));
  if (!branch.defined()) return {.sum = x, .normed = out[0]};
  return {.sum = out[0], .normed = out[1]};
}

at::Tensor addResidual(const at::Tensor& x, const Residual& r) {
  if (!x.is_cpu()) return addResidualPlain(x, r);
  return FusedAddNorm::apply(x.contiguous(), Maybe(r.branch.contiguous()), orAbsent(r.bias), orAbsent(r.gamma),
                             orAbsent(r.dropScale), Maybe(), Maybe(), 0.0, static_cast<int64_t>(x.scalar_type()))[0];
}

AddNorm addNormPlain(const at::Tensor& x, const Residual& r, const at::Tensor& weight, const at::Tensor& bias,
                     double eps, at::ScalarType normedType) {
  const at::Tensor sum = r.branch.defined() ? addResidualPlain(x, r) : x;
  return {.sum = sum, .normed = at::layer_norm(sum, {x.size(-1)}, weight, bias, eps).to(normedType)};
}

at::Tensor addResidualPlain(const at::Tensor& x, const Residual& r) {
  at::Tensor branch = r.branch.to(x.scalar_type());
  if (r.bias.defined()) branch = branch + r.bias;
  if (r.gamma.defined()) branch = branch * r.gamma;
  if (r.dropScale.defined()) branch = branch * r.dropScale.view({-1, 1, 1});
  return x + branch;
}

}  // namespace cae::ops
