#include "ops/attention.h"

#include <ATen/CPUGeneratorImpl.h>

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

struct Sizes {
  int64_t batch, queries, keys, dim, heads;
};

constexpr Sizes kSizes[] = {
    {1, 1, 1, 4, 1}, {2, 5, 5, 12, 3}, {3, 7, 11, 24, 3}, {2, 98, 196, 32, 2}, {1, 17, 33, 8, 8}};

std::vector<at::Tensor> crossInputs(const Sizes& s, at::ScalarType type) {
  return {numbers({s.batch, s.queries, s.dim}, 1, type), numbers({s.batch, s.keys, s.dim}, 2, type),
          numbers({s.batch, s.keys, s.dim}, 3, type), numbers({s.dim}, 4, type), numbers({s.dim}, 5, type)};
}

Function cross(int64_t heads) {
  return [=](const auto& in) { return std::vector{ops::crossAttention(in[0], in[1], in[2], {in[3], in[4]}, heads)}; };
}

Function crossPlain(int64_t heads) {
  return
      [=](const auto& in) { return std::vector{ops::crossAttentionPlain(in[0], in[1], in[2], {in[3], in[4]}, heads)}; };
}

/// Self-attention with a bias on the scores: in[3].
Function biased(int64_t heads) {
  return [=](const auto& in) { return std::vector{ops::selfAttention(in[0], {in[1], in[2]}, heads, in[3])}; };
}

Function biasedPlain(int64_t heads) {
  return [=](const auto& in) {
    const auto parts = in[0].chunk(3, 2);
    return std::vector{ops::crossAttentionPlain(parts[0], parts[1], parts[2], {in[1], in[2]}, heads, in[3])};
  };
}

Function self(int64_t heads) {
  return [=](const auto& in) { return std::vector{ops::selfAttention(in[0], {in[1], in[2]}, heads)}; };
}

Function selfPlain(int64_t heads) {
  return [=](const auto& in) {
    const auto parts = in[0].chunk(3, 2);
    return std::vector{ops::crossAttentionPlain(parts[0], parts[1], parts[2], {in[1], in[2]}, heads)};
  };
}

void crossMatchesPlain() {
  for (const Sizes& s : kSizes) {
    expectSame(text("queries ", s.queries, " keys ", s.keys), cross(s.heads), crossPlain(s.heads),
               crossInputs(s, at::kFloat), 1e-5, 1e-4);
  }
}

void selfMatchesPlain() {
  for (const Sizes& s : kSizes) {
    const std::vector<at::Tensor> in = {numbers({s.batch, s.queries, 3 * s.dim}, 1), numbers({s.dim}, 2),
                                        numbers({s.dim}, 3)};
    expectSame(text("tokens ", s.queries), self(s.heads), selfPlain(s.heads), in, 1e-5, 1e-4);
    std::vector<at::Tensor> more = in;
    more.push_back(numbers({s.heads, s.queries, s.queries}, 4));
    expectSame(text("biased, tokens ", s.queries), biased(s.heads), biasedPlain(s.heads), more, 1e-5, 1e-4);
  }
}

void gradientsAreRight() {
  const Sizes s = {2, 3, 5, 8, 2};
  expectGradients("cross", cross(s.heads), crossInputs(s, at::kDouble));
  expectGradients("self", self(2),
                  {numbers({2, 3, 24}, 1, at::kDouble), numbers({8}, 2, at::kDouble), numbers({8}, 3, at::kDouble)});
  expectGradients("biased", biased(2),
                  {numbers({2, 3, 24}, 1, at::kDouble), numbers({8}, 2, at::kDouble), numbers({8}, 3, at::kDouble),
                   numbers({2, 3, 3}, 4, at::kDouble)});
}

/// Products of bfloat16 carry 8 bits: outputs of size 1 may be off by some 2^-7.
void lowPrecisionIsNear() {
  const Sizes s = {2, 9, 14, 16, 4};
  const auto in = crossInputs(s, at::kFloat);
  const auto low = [&](const std::vector<at::Tensor>& f) {
    const auto type = at::kBFloat16;
    return ops::crossAttention(f[0].to(type), f[1].to(type), f[2].to(type), {f[3], f[4]}, s.heads);
  };
  expectClose("bf16", low(in).to(at::kFloat), crossPlain(s.heads)(in)[0], 0.05);
}

void weightsSumToOne() {
  const at::Tensor q = numbers({2, 3, 12}, 1), k = numbers({2, 5, 12}, 2), bias = numbers({12}, 3);
  const at::Tensor weights = ops::attentionWeights(q, k, bias, 4);
  expectClose("sum", weights.sum(-1), at::ones({2, 4, 3}), 1e-6);
}

}  // namespace

int main() {
  return runAll({{"cross-attention equals its plain form, at one token and at many", crossMatchesPlain},
                 {"self-attention equals its plain form", selfMatchesPlain},
                 {"gradients equal central differences", gradientsAreRight},
                 {"bfloat16 stays near float32", lowPrecisionIsNear},
                 {"attention probabilities sum to one", weightsSumToOne}});
}
