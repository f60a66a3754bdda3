#include "ops/attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <optional>

#include "ops/heads.h"

namespace cae::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Autograd functions take no undefined tensors.
using Maybe = std::optional<at::Tensor>;

Maybe orAbsent(const at::Tensor& t) { return t.defined() ? Maybe(t) : std::nullopt; }

double scaleOf(int64_t dim, int64_t heads) { return 1.0 / std::sqrt(static_cast<double>(dim / heads)); }

/// Head-major operands of one attention; q carries the scale.
struct Operands {
  at::Tensor q, k, v;  // [B·heads, N, Dh]
};

Operands split(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
               int64_t heads) {
  return {.q = splitHeads(q, heads, bias.q, scaleOf(q.size(2), heads)),
          .k = splitHeads(k, heads),
          .v = splitHeads(v, heads, bias.v)};
}

/// softmax over the last dimension of `scores`, which is overwritten.
at::Tensor softmaxInPlace(at::Tensor scores) {
  at::_softmax_out(scores, scores, -1, false);
  return scores;
}

struct Saved {
  at::Tensor weights;  // [B·heads, Nq, Nk]
  at::Tensor out;      // [B, Nq, D]
};

/// A view [B, heads, Nq, Nk] of head-major scores.
at::Tensor bySample(const at::Tensor& scores, int64_t batch) { return scores.unflatten(0, {batch, -1}); }

Saved attend(const Operands& x, int64_t batch, const at::Tensor& scoreBias = {}) {
  const at::Tensor scores = at::bmm(x.q, x.k.transpose(1, 2));
  if (scoreBias.defined()) bySample(scores, batch).add_(scoreBias);
  const at::Tensor weights = softmaxInPlace(scores);
  return {.weights = weights, .out = mergeHeads(at::bmm(weights, x.v), batch)};
}

struct Gradients {
  Operands operands;  // head-major; dq with respect to the scaled query
  at::Tensor scores;  // [B·heads, Nq, Nk]
};

Gradients attendBackward(const Operands& x, const at::Tensor& weights, const at::Tensor& dOut, int64_t heads) {
  const at::Tensor d = splitHeads(dOut, heads);                 // [B·heads, Nq, Dh]
  const at::Tensor dv = at::bmm(weights.transpose(1, 2), d);    // [B·heads, Nk, Dh]
  const at::Tensor dWeights = at::bmm(d, x.v.transpose(1, 2));  // [B·heads, Nq, Nk]
  const at::Tensor dScores = at::_softmax_backward_data(dWeights, weights, -1, weights.scalar_type());
  return {.operands = {.q = at::bmm(dScores, x.k), .k = at::bmm(dScores.transpose(1, 2), x.q), .v = dv},
          .scores = dScores};
}

class SelfAttention : public torch::autograd::Function<SelfAttention> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, const at::Tensor& qBias,
                            const at::Tensor& vBias, const Maybe& scoreBias, int64_t heads) {
    const int64_t dim = qkv.size(2) / 3;
    const Operands x =
        split(qkv.narrow(2, 0, dim), qkv.narrow(2, dim, dim), qkv.narrow(2, 2 * dim, dim), {qBias, vBias}, heads);
    const Saved s = attend(x, qkv.size(0), scoreBias.value_or(at::Tensor()));
    ctx->save_for_backward({x.q, x.k, x.v, s.weights});
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["hasScoreBias"] = scoreBias.has_value();
    ctx->saved_data["master"] = static_cast<int64_t>(qBias.scalar_type());
    return s.out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list s = ctx->get_saved_variables();
    const int64_t heads = ctx->saved_data["heads"].toInt(), batch = grads[0].size(0), n = grads[0].size(1),
                  dim = grads[0].size(2);
    const auto master = static_cast<at::ScalarType>(ctx->saved_data["master"].toInt());
    const auto [d, dScores] = attendBackward({s[0], s[1], s[2]}, s[3], grads[0], heads);
    const at::Tensor dqkv = at::empty({batch, n, 3 * dim}, grads[0].options());
    const at::Tensor dqBias = mergeHeadsAndSum(d.q, scaleOf(dim, heads), dqkv.narrow(2, 0, dim), master);
    mergeHeads(d.k, batch, dqkv.narrow(2, dim, dim));
    const at::Tensor dvBias = mergeHeadsAndSum(d.v, 1, dqkv.narrow(2, 2 * dim, dim), master);
    const bool hasScoreBias = ctx->saved_data["hasScoreBias"].toBool();
    const at::Tensor dScoreBias =
        hasScoreBias ? bySample(dScores, batch).sum(at::IntArrayRef{0}, false, master) : at::Tensor();
    return {dqkv, dqBias, dvBias, dScoreBias, {}};
  }
};

class CrossAttention : public torch::autograd::Function<CrossAttention> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const at::Tensor& qBias, const at::Tensor& vBias, int64_t heads) {
    const Operands x = split(q, k, v, {qBias, vBias}, heads);
    const Saved s = attend(x, q.size(0));
    ctx->save_for_backward({x.q, x.k, x.v, s.weights});
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["master"] = static_cast<int64_t>(qBias.scalar_type());
    return s.out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list s = ctx->get_saved_variables();
    const int64_t heads = ctx->saved_data["heads"].toInt(), batch = grads[0].size(0), dim = grads[0].size(2);
    const auto master = static_cast<at::ScalarType>(ctx->saved_data["master"].toInt());
    const Operands d = attendBackward({s[0], s[1], s[2]}, s[3], grads[0], heads).operands;
    const at::Tensor dq = at::empty_like(grads[0]), dv = at::empty({batch, d.v.size(1), dim}, grads[0].options());
    const at::Tensor dqBias = mergeHeadsAndSum(d.q, scaleOf(dim, heads), dq, master);
    const at::Tensor dvBias = mergeHeadsAndSum(d.v, 1, dv, master);
    return {dq, mergeHeads(d.k, batch), dv, dqBias, dvBias, {}};
  }
};

/// CUDA: libtorch's fused kernels, which do not form the weights in memory.
at::Tensor fusedOnDevice(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
                         int64_t heads, const at::Tensor& scoreBias = {}) {
  const auto type = q.scalar_type();
  const auto headed = [heads](const at::Tensor& x) {
    return x.unflatten(2, {heads, x.size(2) / heads}).transpose(1, 2);
  };
  const Maybe mask = scoreBias.defined() ? Maybe(scoreBias.to(type).unsqueeze(0)) : std::nullopt;
  const at::Tensor out =
      at::scaled_dot_product_attention(headed(q + bias.q.to(type)), headed(k), headed(v + bias.v.to(type)), mask);
  return out.transpose(1, 2).flatten(2);
}

}  // namespace

at::Tensor selfAttention(const at::Tensor& qkv, const AttentionBias& bias, int64_t heads, const at::Tensor& scoreBias) {
  if (qkv.is_cpu()) return SelfAttention::apply(qkv, bias.q, bias.v, orAbsent(scoreBias), heads);
  const auto parts = qkv.chunk(3, 2);
  return fusedOnDevice(parts[0], parts[1], parts[2], bias, heads, scoreBias);
}

at::Tensor crossAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
                          int64_t heads) {
  if (q.is_cpu()) return CrossAttention::apply(q, k, v, bias.q, bias.v, heads);
  return fusedOnDevice(q, k, v, bias, heads);
}

at::Tensor attentionWeights(const at::Tensor& q, const at::Tensor& k, const at::Tensor& qBias, int64_t heads,
                            const at::Tensor& scoreBias) {
  const at::NoGradGuard noGrad;
  const int64_t batch = q.size(0);
  const at::Tensor scaled = splitHeads(q.to(at::kFloat), heads, qBias, scaleOf(q.size(2), heads));
  const at::Tensor scores = at::bmm(scaled, splitHeads(k.to(at::kFloat), heads).transpose(1, 2));
  if (scoreBias.defined()) bySample(scores, batch).add_(scoreBias);
  return bySample(softmaxInPlace(scores), batch);
}

at::Tensor crossAttentionPlain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
                               int64_t heads, const at::Tensor& scoreBias) {
  const auto headed = [heads](const at::Tensor& x) {  // [B, N, D] -> [B·heads, N, Dh]
    return x.unflatten(2, {heads, x.size(2) / heads}).transpose(1, 2).flatten(0, 1);
  };
  const Operands x = {.q = headed((q + bias.q) * scaleOf(q.size(2), heads)), .k = headed(k), .v = headed(v + bias.v)};
  const at::Tensor scores = bySample(at::bmm(x.q, x.k.transpose(1, 2)), q.size(0));  // [B, heads, Nq, Nk]
  const at::Tensor weights = at::softmax(scoreBias.defined() ? scores + scoreBias : scores, -1).flatten(0, 1);
  return mergeHeads(at::bmm(weights, x.v), q.size(0));
}

}  // namespace cae::ops
