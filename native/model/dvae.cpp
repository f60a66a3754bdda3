#include "model/dvae.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "model/conv.h"
#include "ops/logit_laplace.h"

namespace cae {
namespace {

constexpr int64_t kGroups = 4;
constexpr int64_t kDownsampling = 8;  // between four groups the resolution changes three times

Conv dalleConv(int64_t in, int64_t out, int64_t kernel) {
  return Conv(ConvShape{.kind = ConvShape::Kind::kDalle, .in = in, .out = out, .kernel = kernel});
}

/// Kernels of the four convolutions of a block's residual path: the encoder's last and the decoder's first are 1x1.
using Kernels = std::array<int64_t, 4>;

/// y = id_path(x) + gain · res_path(x); every convolution of the residual path comes after a ReLU, the identity path
/// sees the raw x.
class Block : public torch::nn::Module {
 public:
  Block(int64_t in, int64_t out, const Kernels& kernels, double gain) : gain_(gain) {
    if (in != out) idPath_ = register_module("id_path", dalleConv(in, out, 1));
    const auto resPath = register_module("res_path", std::make_shared<torch::nn::Module>());
    const int64_t hidden = out / 4;
    for (size_t i = 0; i < kernels.size(); ++i) {
      const Conv conv = dalleConv(i == 0 ? in : hidden, i + 1 == kernels.size() ? out : hidden, kernels[i]);
      resPath_.push_back(resPath->register_module(text("conv_", i + 1), conv));
    }
  }

  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype) {
    at::Tensor y = x;
    for (const Conv& conv : resPath_) y = conv->forward(at::relu(y), dtype);
    return (idPath_.is_empty() ? x : idPath_->forward(x, dtype)) + gain_ * y;
  }

 private:
  double gain_;
  Conv idPath_{nullptr};
  std::vector<Conv> resPath_;
};

struct StackConfig {
  int64_t in, inputKernel;
  int64_t inputDim;                     // width after the input convolution
  std::array<int64_t, kGroups> widths;  // of the groups
  int64_t out;
  int64_t blocksPerGroup;
  Kernels kernels;
};

/// Input convolution, four groups, ReLU, 1x1 convolution: what encoder and decoder have in common.
class Stack : public torch::nn::Module {
 public:
  explicit Stack(const StackConfig& c) {
    const auto blocks = register_module("blocks", std::make_shared<torch::nn::Module>());
    const double layers = static_cast<double>(kGroups * c.blocksPerGroup);
    input = blocks->register_module("input", dalleConv(c.in, c.inputDim, c.inputKernel));
    int64_t width = c.inputDim;
    for (size_t g = 0; g < c.widths.size(); ++g) {
      const auto group = blocks->register_module(text("group_", g + 1), std::make_shared<torch::nn::Module>());
      for (int64_t i = 1; i <= c.blocksPerGroup; ++i) {
        const auto block = std::make_shared<Block>(width, c.widths[g], c.kernels, 1 / (layers * layers));
        groups[g].push_back(group->register_module(text("block_", i), block));
        width = c.widths[g];
      }
    }
    const auto last = blocks->register_module("output", std::make_shared<torch::nn::Module>());
    output = last->register_module("conv", dalleConv(width, c.out, 1));
  }

  at::Tensor group(size_t index, at::Tensor x, at::ScalarType dtype) const {
    for (const auto& block : groups[index]) x = block->forward(x, dtype);
    return x;
  }

  Conv input{nullptr}, output{nullptr};
  std::array<std::vector<std::shared_ptr<Block>>, kGroups> groups;
};

class Dvae : public DiscreteVae {
 public:
  explicit Dvae(const DvaeConfig& c) : vocabSize_(c.vocabSize) {
    const int64_t n = c.hiddenDim;
    encoder_ = register_module("encoder", std::make_shared<Stack>(StackConfig{.in = 3,
                                                                              .inputKernel = 7,
                                                                              .inputDim = n,
                                                                              .widths = {n, 2 * n, 4 * n, 8 * n},
                                                                              .out = c.vocabSize,
                                                                              .blocksPerGroup = c.blocksPerGroup,
                                                                              .kernels = {3, 3, 3, 1}}));
    decoder_ = register_module("decoder", std::make_shared<Stack>(StackConfig{.in = c.vocabSize,
                                                                              .inputKernel = 1,
                                                                              .inputDim = c.decoderInputDim,
                                                                              .widths = {8 * n, 4 * n, 2 * n, n},
                                                                              .out = 6,
                                                                              .blocksPerGroup = c.blocksPerGroup,
                                                                              .kernels = {1, 3, 3, 3}}));
  }

  int64_t vocabSize() const override { return vocabSize_; }
  int64_t downsampling() const override { return kDownsampling; }

  at::Tensor logits(const at::Tensor& images, const Pass& pass) override {
    at::Tensor x = encoder_->input->forward(channelsLast(images), pass.dtype);
    for (size_t g = 0; g < kGroups; ++g) {
      x = encoder_->group(g, x, pass.dtype);
      if (g + 1 < kGroups) x = at::max_pool2d(x, 2);
    }
    return encoder_->output->forward(at::relu(x),
                                     at::kFloat);  // float32 always: it decides ids (spec/baselines.md 2.2)
  }

  at::Tensor decode(const at::Tensor& codes, const Pass& pass) override {
    at::Tensor x = decoder_->input->forward(channelsLast(codes), at::kFloat).to(pass.dtype);
    for (size_t g = 0; g < kGroups; ++g) {
      x = decoder_->group(g, x, pass.dtype);
      if (g + 1 < kGroups) x = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
    }
    const at::Tensor stats = decoder_->output->forward(at::relu(x), pass.dtype).to(at::kFloat);
    pass.record("stats", stats);
    return stats;
  }

  Fit fit(const at::Tensor& decoded, const at::Tensor& images) const override {
    return {.loss = ops::logitLaplaceNll(images, decoded), .metricName = "nll_bits", .unit = std::log(2.0)};
  }

  at::Tensor pixels(const at::Tensor& decoded) const override {
    return ops::unmapPixels(at::sigmoid(decoded.narrow(1, 0, 3)));
  }

  at::Tensor original(const at::Tensor& images) const override { return ops::unmapPixels(images); }

  at::Tensor normalized(const at::Tensor& bytes) const override { return ops::mapPixels(bytes.to(at::kFloat) / 255); }

 private:
  int64_t vocabSize_;
  std::shared_ptr<Stack> encoder_, decoder_;
};

}  // namespace

DvaeConfig readDvaeConfig(ConfigReader& reader) {
  return {.hiddenDim = reader.integer("hiddenDim"),
          .decoderInputDim = reader.integer("decoderInputDim"),
          .blocksPerGroup = reader.integer("blocksPerGroup"),
          .vocabSize = reader.integer("vocabSize")};
}

std::shared_ptr<DiscreteVae> makeDvae(const DvaeConfig& config) { return std::make_shared<Dvae>(config); }

}  // namespace cae
