#include "ops/attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "ops/heads.h"

namespace cae::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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

Saved attend(const Operands& x, int64_t batch) {
  const at::Tensor weights = softmaxInPlace(at::bmm(x.q, x.k.transpose(1, 2)));
  return {.weights = weights, .out = mergeHeads(at::bmm(weights, x.v), batch)};
}

/// Gradients of the head-major operands: dq with respect to the scaled query.
Operands attendBackward(const Operands& x, const at::Tensor& weights, const at::Tensor& dOut, int64_t heads) {
  const at::Tensor d = splitHeads(dOut, heads);                 // [B·heads, Nq, Dh]
  const at::Tensor dv = at::bmm(weights.transpose(1, 2), d);    // [B·heads, Nk, Dh]
  const at::Tensor dWeights = at::bmm(d, x.v.transpose(1, 2));  // [B·heads, Nq, Nk]
  const at::Tensor dScores = at::_softmax_backward_data(dWeights, weights, -1, weights.scalar_type());
  return {.q = at::bmm(dScores, x.k), .k = at::bmm(dScores.transpose(1, 2), x.q), .v = dv};
}

class SelfAttention : public torch::autograd::Function<SelfAttention> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, const at::Tensor& qBias,
                            const at::Tensor& vBias, int64_t heads) {
    const int64_t dim = qkv.size(2) / 3;
    const Operands x =
        split(qkv.narrow(2, 0, dim), qkv.narrow(2, dim, dim), qkv.narrow(2, 2 * dim, dim), {qBias, vBias}, heads);
    const Saved s = attend(x, qkv.size(0));
    ctx->save_for_backward({x.q, x.k, x.v, s.weights});
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["master"] = static_cast<int64_t>(qBias.scalar_type());
    return s.out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list s = ctx->get_saved_variables();
    const int64_t heads = ctx->saved_data["heads"].toInt(), batch = grads[0].size(0), n = grads[0].size(1),
                  dim = grads[0].size(2);
    const auto master = static_cast<at::ScalarType>(ctx->saved_data["master"].toInt());
    const Operands d = attendBackward({s[0], s[1], s[2]}, s[3], grads[0], heads);
    const at::Tensor dqkv = at::empty({batch, n, 3 * dim}, grads[0].options());
    const at::Tensor dqBias = mergeHeadsAndSum(d.q, scaleOf(dim, heads), dqkv.narrow(2, 0, dim), master);
    mergeHeads(d.k, batch, dqkv.narrow(2, dim, dim));
    const at::Tensor dvBias = mergeHeadsAndSum(d.v, 1, dqkv.narrow(2, 2 * dim, dim), master);
    return {dqkv, dqBias, dvBias, {}};
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
    const Operands d = attendBackward({s[0], s[1], s[2]}, s[3], grads[0], heads);
    const at::Tensor dq = at::empty_like(grads[0]), dv = at::empty({batch, d.v.size(1), dim}, grads[0].options());
    const at::Tensor dqBias = mergeHeadsAndSum(d.q, scaleOf(dim, heads), dq, master);
    const at::Tensor dvBias = mergeHeadsAndSum(d.v, 1, dv, master);
    return {dq, mergeHeads(d.k, batch), dv, dqBias, dvBias, {}};
  }
};

/// CUDA: libtorch's fused kernels, which do not form the weights in memory.
at::Tensor fusedOnDevice(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
                         int64_t heads) {
  const auto type = q.scalar_type();
  const auto headed = [heads](const at::Tensor& x) {
    return x.unflatten(2, {heads, x.size(2) / heads}).transpose(1, 2);
  };
  const at::Tensor out =
      at::scaled_dot_product_attention(headed(q + bias.q.to(type)), headed(k), headed(v + bias.v.to(type)));
  return out.transpose(1, 2).flatten(2);
}

}  // namespace

at::Tensor selfAttention(const at::Tensor& qkv, const AttentionBias& bias, int64_t heads) {
  if (qkv.is_cpu()) return SelfAttention::apply(qkv, bias.q, bias.v, heads);
  const auto parts = qkv.chunk(3, 2);
  return fusedOnDevice(parts[0], parts[1], parts[2], bias, heads);
}

at::Tensor crossAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
                          int64_t heads) {
  if (q.is_cpu()) return CrossAttention::apply(q, k, v, bias.q, bias.v, heads);
  return fusedOnDevice(q, k, v, bias, heads);
}

at::Tensor attentionWeights(const at::Tensor& q, const at::Tensor& k, const at::Tensor& qBias, int64_t heads) {
  const at::NoGradGuard noGrad;
  const int64_t batch = q.size(0);
  const at::Tensor scaled = splitHeads(q.to(at::kFloat), heads, qBias, scaleOf(q.size(2), heads));
  const at::Tensor scores = at::bmm(scaled, splitHeads(k.to(at::kFloat), heads).transpose(1, 2));
  return softmaxInPlace(scores).view({batch, heads, q.size(1), k.size(1)});
}

at::Tensor crossAttentionPlain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionBias& bias,
                               int64_t heads) {
  const auto headed = [heads](const at::Tensor& x) {  // [B, N, D] -> [B·heads, N, Dh]
    return x.unflatten(2, {heads, x.size(2) / heads}).transpose(1, 2).flatten(0, 1);
  };
  const Operands x = {.q = headed((q + bias.q) * scaleOf(q.size(2), heads)), .k = headed(k), .v = headed(v + bias.v)};
  const at::Tensor weights = at::softmax(at::bmm(x.q, x.k.transpose(1, 2)), -1);
  return mergeHeads(at::bmm(weights, x.v), q.size(0));
}

}  // namespace cae::ops
