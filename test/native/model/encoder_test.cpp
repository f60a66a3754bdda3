#include "model/encoder.h"

#include <ATen/CPUGeneratorImpl.h>

#include "model/init.h"
#include "ops/attention.h"
#include "ops/patches.h"
#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

EncoderConfig config() {
  return {.imageHeight = 16,
          .imageWidth = 24,
          .patchSize = 8,
          .depth = 2,
          .block = {.dim = 24, .numHeads = 3, .mlpHidden = 40, .layerNormEps = 1e-6, .layerScaleInit = 0.3},
          .dropPath = 0.5,
          .positions = ops::PositionRule::kGrid,
          .mean = {0.5, 0.5, 0.5},
          .std = {0.25, 0.25, 0.25}};
}

Encoder makeEncoder() {
  Encoder encoder(config());
  initialiseWeights(*encoder, InitRule::kXavier, 3);
  const at::NoGradGuard noGrad;
  // Biases and gains away from their start values, so that a forgotten one shows.
  int64_t seed = 100;
  for (auto& p : encoder->parameters()) p.add_(numbers(p.sizes(), seed++).detach() * 0.1);
  return encoder;
}

const Pass kPass = {.dtype = at::kFloat, .trace = {}};

at::Tensor normed(const at::Tensor& x, const Norm& norm) {
  return at::layer_norm(x, {x.size(-1)}, norm->weight, norm->bias, 1e-6);
}

/// The encoder from libtorch's own operators, as the formulas stand.
at::Tensor plainEncoder(Encoder& encoder, const at::Tensor& patches, const at::Tensor& index) {
  const int64_t heads = config().block.numHeads;
  const auto& projection = encoder->patch_embed->proj;
  const at::Tensor positions = encoder->pos_embed[0].narrow(0, 1, config().numPatches());
  at::Tensor x = at::matmul(patches, projection->weight.flatten(1).t()) + projection->bias;
  x = x + (index.defined() ? positions.index_select(0, index.flatten()).view(x.sizes()) : positions);
  x = at::cat({encoder->cls_token.expand({x.size(0), 1, x.size(2)}), x}, 1);
  for (size_t i = 0; i < encoder->blocks->size(); ++i) {
    BlockImpl& b = *encoder->blocks->ptr<BlockImpl>(i);
    const auto qkv = at::matmul(normed(x, b.norm1), b.attn->qkv->weight.t()).chunk(3, 2);
    const at::Tensor attended =
        ops::crossAttentionPlain(qkv[0], qkv[1], qkv[2], {b.attn->q_bias, b.attn->v_bias}, heads);
    x = x + b.gamma_1 * (at::matmul(attended, b.attn->proj->weight.t()) + b.attn->proj->bias);
    const at::Tensor hidden = at::gelu(at::matmul(normed(x, b.norm2), b.mlp->fc1->weight.t()) + b.mlp->fc1->bias);
    x = x + b.gamma_2 * (at::matmul(hidden, b.mlp->fc2->weight.t()) + b.mlp->fc2->bias);
  }
  return normed(x, encoder->norm);
}

at::Tensor somePatches(int64_t count) { return numbers({2, count, 3 * 8 * 8}, 7).detach(); }

void equalsPlain() {
  Encoder encoder = makeEncoder();
  const at::Tensor index = at::tensor({0, 3, 5, 1, 2, 4}, at::kLong).view({2, 3});
  for (const auto& [count, places] : {std::pair<int64_t, at::Tensor>{3, index}, {6, {}}}) {
    const at::Tensor patches = somePatches(count);
    const at::Tensor got = encoder->forward(patches, places, {}, kPass, "e"),
                     want = plainEncoder(encoder, patches, places);
    expectClose("output", got, want, 2e-5);
    const auto parameters = encoder->parameters();
    const at::Tensor weights = numbers(got.sizes(), 8).detach();
    const auto gotGrads = torch::autograd::grad({(got * weights).sum()}, parameters);
    const auto wantGrads = torch::autograd::grad({(want * weights).sum()}, parameters);
    for (size_t i = 0; i < parameters.size(); ++i) {
      expectClose(encoder->named_parameters()[i].key(), gotGrads[i], wantGrads[i], 5e-4);
    }
  }
}

/// Without positions nothing tells one patch from another but its content.
void permutes() {
  Encoder encoder = makeEncoder();
  encoder->pos_embed.zero_();
  const at::Tensor patches = somePatches(6), order = at::tensor({4, 2, 0, 5, 1, 3}, at::kLong);
  const at::Tensor straight = encoder->forward(patches, {}, {}, kPass, "e");
  const at::Tensor shuffled = encoder->forward(patches.index_select(1, order), {}, {}, kPass, "e");
  expectClose("class token", shuffled.narrow(1, 0, 1), straight.narrow(1, 0, 1), 2e-5);
  expectClose("patches", shuffled.narrow(1, 1, 6), straight.narrow(1, 1, 6).index_select(1, order), 2e-5);
}

void rawImagesAreNormalised() {
  Encoder encoder = makeEncoder();
  const at::Tensor raw = at::arange(2 * 3 * 16 * 24, at::kLong).remainder(256).to(at::kByte).view({2, 3, 16, 24});
  const at::Tensor normal = (raw.to(at::kFloat) / 255 - 0.5) / 0.25;
  expectClose("encoded", encoder->encode(raw, at::kFloat), encoder->encode(normal, at::kFloat), 1e-5);
}

void lastAttentionIsTheBlocksOwn() {
  Encoder encoder = makeEncoder();
  const at::Tensor images = numbers({2, 3, 16, 24}, 9).detach();
  const at::Tensor weights = encoder->lastAttention(images);
  expectClose("sum", weights.sum(-1), at::ones({2, 3}), 1e-5);
  CAE_CHECK(weights.size(2) == 7, "TEST", "weights have the shape ", weights.sizes());
}

void wrongSizeIsRefused() {
  Encoder encoder = makeEncoder();
  for (const at::Tensor& images : {at::zeros({1, 3, 16, 16}), at::zeros({1, 1, 16, 24}), at::zeros({3, 16, 24})}) {
    try {
      encoder->encode(images, at::kFloat);
    } catch (const Error& e) {
      CAE_CHECK(e.code() == "ERR_CAE_SHAPE", "TEST", "code ", e.code());
      continue;
    }
    throw Error("TEST", text("images of ", images.sizes(), " were taken"));
  }
}

}  // namespace

int main() {
  return runAll({{"the encoder equals its formulas, forward and backward", equalsPlain},
                 {"without positions, permuting patches permutes outputs", permutes},
                 {"raw images are normalised on the way in", rawImagesAreNormalised},
                 {"the last attention sums to one over class token and patches", lastAttentionIsTheBlocksOwn},
                 {"images of another size are refused", wrongSizeIsRefused}});
}
