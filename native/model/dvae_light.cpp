#include "model/dvae_light.h"

#include <ATen/ATen.h>

#include <vector>

#include "base/check.h"
#include "model/conv.h"

namespace cae {
namespace {

ConvShape convShape(int64_t in, int64_t out, int64_t kernel) {
  return {.kind = ConvShape::Kind::kLibrary, .in = in, .out = out, .kernel = kernel};
}

/// A part of a layer list; its place in the list is its name.
class Layer : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& x, at::ScalarType dtype) const = 0;
};

/// ReLU after a convolution that halves or doubles the resolution.
class Strided : public Layer {
 public:
  Strided(int64_t in, int64_t out, bool isTransposed) {
    ConvShape shape = convShape(in, out, 4);
    shape.stride = 2;
    shape.isTransposed = isTransposed;
    conv_ = register_module("0", Conv(shape));
  }

  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype) const override {
    return at::relu(conv_->forward(x, dtype));
  }

 private:
  Conv conv_{nullptr};
};

class ResBlock : public Layer {
 public:
  explicit ResBlock(int64_t dim) {
    const auto net = register_module("net", std::make_shared<torch::nn::Module>());
    first_ = net->register_module("0", Conv(convShape(dim, dim, 3)));
    second_ = net->register_module("2", Conv(convShape(dim, dim, 3)));
    third_ = net->register_module("4", Conv(convShape(dim, dim, 1)));
  }

  at::Tensor forward(const at::Tensor& x, at::ScalarType dtype) const override {
    const at::Tensor y = second_->forward(at::relu(first_->forward(x, dtype)), dtype);
    return third_->forward(at::relu(y), dtype) + x;
  }

 private:
  Conv first_{nullptr}, second_{nullptr}, third_{nullptr};
};

/// Layers one after the other, and convolutions at their ends that the caller runs; all called `0`, `1`, ... in the
/// order in which they were added.
class LayerList : public torch::nn::Module {
 public:
  template <class T>
  void add(std::shared_ptr<T> layer) {
    layers_.push_back(register_module(text(next_++), std::move(layer)));
  }

  Conv addConv(int64_t in, int64_t out) { return register_module(text(next_++), Conv(convShape(in, out, 1))); }

  at::Tensor forward(at::Tensor x, at::ScalarType dtype) const {
    for (const auto& layer : layers_) x = layer->forward(x, dtype);
    return x;
  }

 private:
  std::vector<std::shared_ptr<Layer>> layers_;
  int64_t next_ = 0;
};

class LightDvae : public DiscreteVae {
 public:
  explicit LightDvae(const LightDvaeConfig& c)
      : config_(c),
        codebook_(register_module("codebook", std::make_shared<torch::nn::Module>())),
        encoder_(register_module("encoder", std::make_shared<LayerList>())),
        decoder_(register_module("decoder", std::make_shared<LayerList>())) {
    codes_ = codebook_->register_parameter("weight", at::empty({c.vocabSize, c.codebookDim}));
    const bool isBeit = c.layout == LightDvaeConfig::Layout::kBeit;
    const int64_t dim = c.hiddenDim;
    for (int64_t i = 0; i < c.numLayers; ++i) {
      encoder_->add(std::make_shared<Strided>(i == 0 ? 3 : dim, dim, false));
      if (isBeit) encoder_->add(std::make_shared<ResBlock>(dim));
    }
    int64_t decoderIn = c.codebookDim;
    if (!isBeit) {
      if (c.resBlocks > 0) {
        decoderInput_ = decoder_->addConv(c.codebookDim, dim);
        decoderIn = dim;
      }
      for (int64_t i = 0; i < c.resBlocks; ++i) {
        encoder_->add(std::make_shared<ResBlock>(dim));
        decoder_->add(std::make_shared<ResBlock>(dim));
      }
    }
    for (int64_t i = 0; i < c.numLayers; ++i) {
      decoder_->add(std::make_shared<Strided>(i == 0 ? decoderIn : dim, dim, true));
      if (isBeit) decoder_->add(std::make_shared<ResBlock>(dim));
    }
    encoderOutput_ = encoder_->addConv(dim, c.vocabSize);
    decoderOutput_ = decoder_->addConv(dim, 3);
  }

  int64_t vocabSize() const override { return config_.vocabSize; }
  int64_t downsampling() const override { return int64_t{1} << config_.numLayers; }

  at::Tensor logits(const at::Tensor& images, const Pass& pass) override {
    return encoderOutput_->forward(encoder_->forward(channelsLast(images), pass.dtype), at::kFloat);
  }

  at::Tensor decode(const at::Tensor& codes, const Pass& pass) override {
    at::Tensor x = channelsLast(at::einsum("bvhw,vd->bdhw", {codes, codes_})).to(pass.dtype);
    if (!decoderInput_.is_empty()) x = decoderInput_->forward(x, pass.dtype);
    const at::Tensor out = decoderOutput_->forward(decoder_->forward(x, pass.dtype), pass.dtype).to(at::kFloat);
    pass.record("reconstruction", out);
    return out;
  }

  Fit fit(const at::Tensor& decoded, const at::Tensor& images) const override {
    if (config_.loss == LightDvaeConfig::Loss::kSmoothL1)
      return {.loss = at::smooth_l1_loss(images, decoded, at::Reduction::None), .metricName = "recon", .unit = 1};
    return {.loss = at::mse_loss(images, decoded, at::Reduction::None), .metricName = "recon", .unit = 1};
  }

  at::Tensor pixels(const at::Tensor& decoded) const override { return original(decoded); }

  at::Tensor original(const at::Tensor& images) const override { return (images * 0.5 + 0.5).clamp(0, 1); }

  at::Tensor normalized(const at::Tensor& bytes) const override { return (bytes.to(at::kFloat) / 255 - 0.5) / 0.5; }

 private:
  LightDvaeConfig config_;
  std::shared_ptr<torch::nn::Module> codebook_;
  std::shared_ptr<LayerList> encoder_, decoder_;
  at::Tensor codes_;  // [V, codebookDim]
  Conv encoderOutput_{nullptr}, decoderInput_{nullptr}, decoderOutput_{nullptr};
};

}  // namespace

LightDvaeConfig readLightDvaeConfig(ConfigReader& reader) {
  return {.layout = static_cast<LightDvaeConfig::Layout>(reader.choice("layout", {"beit", "original"})),
          .numLayers = reader.integer("numLayers"),
          .hiddenDim = reader.integer("hiddenDim"),
          .codebookDim = reader.integer("codebookDim"),
          .resBlocks = reader.integer("resBlocks"),
          .vocabSize = reader.integer("vocabSize"),
          .loss = static_cast<LightDvaeConfig::Loss>(reader.choice("reconstructionLoss", {"mse", "smooth-l1"}))};
}

std::shared_ptr<DiscreteVae> makeLightDvae(const LightDvaeConfig& config) {
  return std::make_shared<LightDvae>(config);
}

}  // namespace cae
