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
          .block = {.dim = 24,
                    .numHeads = 3,
                    .mlpHidden = 40,
                    .layerNormEps = 1e-6,
                    .layerScaleInit = 0.3,
                    .keyBias = false,
                    .activation = Activation::kGelu},
          .dropPath = 0.5,
          .positions = Positions::kGrid,
          .relativePositions = RelativePositions::kNone,
          .patchBias = true,
          .inputNorm = false,
          .outputNorm = OutputNorm::kTokens,
          .mean = {0.5, 0.5, 0.5},
          .std = {0.25, 0.25, 0.25}};
}

/// Every part that other vision transformers have and this one lacks, and none that they lack.
EncoderConfig foreignConfig(RelativePositions relative) {
  EncoderConfig c = config();
  c.block.layerScaleInit = 0;
  c.block.keyBias = true;
  c.block.activation = Activation::kQuickGelu;
  c.positions = Positions::kLearned;
  c.relativePositions = relative;
  c.patchBias = false;
  c.inputNorm = true;
  c.outputNorm = OutputNorm::kMean;
  return c;
}

Encoder makeEncoder(const EncoderConfig& c = config()) {
  Encoder encoder(c);
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

/// x · gamma, or x where there is no LayerScale.
at::Tensor scaled(const at::Tensor& x, const at::Tensor& gamma) { return gamma.defined() ? x * gamma : x; }

at::Tensor activated(const at::Tensor& x, Activation activation) {
  return activation == Activation::kGelu ? at::gelu(x) : x * at::sigmoid(x * 1.702);
}

/// Relative bias by the words of spec/baselines.md 4.2: [heads, 1 + N, 1 + N].
at::Tensor plainRelativeBias(const at::Tensor& table, const EncoderConfig& c) {
  const int64_t rows = c.gridHeight(), cols = c.gridWidth(), special = table.size(0) - 3;
  std::vector<at::Tensor> picked;
  for (int64_t i = 0; i <= rows * cols; ++i) {
    for (int64_t j = 0; j <= rows * cols; ++j) {
      const int64_t down = (i - 1) / cols - (j - 1) / cols, across = (i - 1) % cols - (j - 1) % cols;
      const int64_t row = i == 0 && j == 0 ? special + 2
                          : i == 0         ? special
                          : j == 0         ? special + 1
                                           : (down + rows - 1) * (2 * cols - 1) + across + cols - 1;
      picked.push_back(table[row]);
    }
  }
  return at::stack(picked).view({1 + rows * cols, 1 + rows * cols, -1}).permute({2, 0, 1});
}

/// The encoder from libtorch's own operators, as the formulas stand.
at::Tensor plainEncoder(Encoder& encoder, const at::Tensor& patches, const at::Tensor& index) {
  const EncoderConfig& c = encoder->config();
  const auto& projection = encoder->patch_embed->proj;
  const at::Tensor positions = encoder->pos_embed[0].narrow(0, 1, c.numPatches());
  at::Tensor x = at::matmul(patches, projection->weight.flatten(1).t());
  if (projection->bias.defined()) x = x + projection->bias;
  x = x + (index.defined() ? positions.index_select(0, index.flatten()).view(x.sizes()) : positions);
  const at::Tensor cls = encoder->cls_token + encoder->pos_embed[0][0];
  x = at::cat({cls.expand({x.size(0), 1, x.size(2)}), x}, 1);
  if (!encoder->norm_pre.is_empty()) x = normed(x, encoder->norm_pre);
  for (size_t i = 0; i < encoder->blocks->size(); ++i) {
    BlockImpl& b = *encoder->blocks->ptr<BlockImpl>(i);
    const at::Tensor zeros = at::zeros({c.block.dim});
    const at::Tensor bias = c.block.keyBias ? b.attn->qkv->bias : at::cat({b.attn->q_bias, zeros, b.attn->v_bias});
    const auto qkv = (at::matmul(normed(x, b.norm1), b.attn->qkv->weight.t()) + bias).chunk(3, 2);
    const bool isShared = c.relativePositions == RelativePositions::kShared;
    const at::Tensor table =
        isShared ? encoder->rel_pos_bias->relative_position_bias_table : b.attn->relative_position_bias_table;
    const at::Tensor relative = table.defined() ? plainRelativeBias(table, c) : at::Tensor();
    const at::Tensor attended =
        ops::crossAttentionPlain(qkv[0], qkv[1], qkv[2], {zeros, zeros}, c.block.numHeads, relative);
    x = x + scaled(at::matmul(attended, b.attn->proj->weight.t()) + b.attn->proj->bias, b.gamma_1);
    const at::Tensor hidden = at::matmul(normed(x, b.norm2), b.mlp->fc1->weight.t()) + b.mlp->fc1->bias;
    const at::Tensor out = at::matmul(activated(hidden, c.block.activation), b.mlp->fc2->weight.t());
    x = x + scaled(out + b.mlp->fc2->bias, b.gamma_2);
  }
  return encoder->norm.is_empty() ? x : normed(x, encoder->norm);
}

/// Output and every gradient against the formulas.
void expectPlain(Encoder& encoder, const at::Tensor& patches, const at::Tensor& index) {
  const at::Tensor got = encoder->forward(patches, index, {}, kPass, "e"), want = plainEncoder(encoder, patches, index);
  expectClose("output", got, want, 2e-5);
  const at::Tensor weights = numbers(got.sizes(), 8).detach();
  std::vector<std::string> names;
  std::vector<at::Tensor> parameters;
  for (const auto& item : encoder->named_parameters()) {
    if (item.key().starts_with("fc_norm")) continue;  // comes after the tokens
    names.push_back(item.key());
    parameters.push_back(item.value());
  }
  const auto gotGrads = torch::autograd::grad({(got * weights).sum()}, parameters);
  const auto wantGrads = torch::autograd::grad({(want * weights).sum()}, parameters);
  for (size_t i = 0; i < parameters.size(); ++i) expectClose(names[i], gotGrads[i], wantGrads[i], 5e-4);
}

at::Tensor somePatches(int64_t count) { return numbers({2, count, 3 * 8 * 8}, 7).detach(); }

void equalsPlain() {
  Encoder encoder = makeEncoder();
  const at::Tensor index = at::tensor({0, 3, 5, 1, 2, 4}, at::kLong).view({2, 3});
  for (const auto& [count, places] : {std::pair<int64_t, at::Tensor>{3, index}, {6, {}}}) {
    expectPlain(encoder, somePatches(count), places);
  }
}

void relativesEqualPlain() {
  for (const RelativePositions relative :
       {RelativePositions::kNone, RelativePositions::kShared, RelativePositions::kPerBlock}) {
    Encoder encoder = makeEncoder(foreignConfig(relative));
    expectPlain(encoder, somePatches(6), {});
    const at::Tensor tokens = numbers({2, 7, 24}, 3).detach();
    expectClose("mean", encoder->meanOfPatches(tokens), normed(tokens.narrow(1, 1, 6).mean(1), encoder->fc_norm), 1e-5);
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
  for (const EncoderConfig& c : {config(), foreignConfig(RelativePositions::kShared)}) {
    Encoder encoder = makeEncoder(c);
    const at::Tensor images = numbers({2, 3, 16, 24}, 9).detach();
    const at::Tensor weights = encoder->lastAttention(images);
    expectClose("sum", weights.sum(-1), at::ones({2, 3}), 1e-5);
    CAE_CHECK(weights.size(2) == 7, "TEST", "weights have the shape ", weights.sizes());
  }
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
                 {"so do its relatives: key bias, learned and relative positions, other norms", relativesEqualPlain},
                 {"without positions, permuting patches permutes outputs", permutes},
                 {"raw images are normalised on the way in", rawImagesAreNormalised},
                 {"the last attention sums to one over class token and patches", lastAttentionIsTheBlocksOwn},
                 {"images of another size are refused", wrongSizeIsRefused}});
}
