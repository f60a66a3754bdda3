#include "methods/encoder_alone.h"

#include <ATen/ATen.h>

#include "base/check.h"

namespace cae {
namespace {

struct EncoderNetwork : public torch::nn::Module {
  EncoderNetwork(const EncoderConfig& config, int64_t projectionDim)
      : encoder(register_module("encoder", Encoder(config))) {
    if (projectionDim > 0) {
      projection = register_module("projection", Linear(config.block.dim, projectionDim, /*withBias=*/false));
    }
  }

  Encoder encoder;
  Linear projection{nullptr};  // of the output: what CLIP compares with texts (spec/baselines.md 8.5)
};

class EncoderAlone : public Method {
 public:
  EncoderAlone(const EncoderConfig& config, int64_t projectionDim, const at::Device& device)
      : net_(config, projectionDim) {
    net_.to(device);
  }

  /// Draws nothing: every weight is about to be written.
  void initialise(uint64_t /*seed*/) override {}

  void check(const Batch& /*batch*/) const override { refuse(); }
  Losses forward(const Batch& /*batch*/, const ForwardArgs& /*args*/) override { refuse(); }
  at::Tensor reconstruct(const Batch& /*batch*/, bool /*full*/) override { refuse(); }

  /// In float32: what is predicted should not depend on how the predicting network is trained.
  at::Tensor latents(const at::Tensor& images) override {
    const at::NoGradGuard noGrad;
    const at::Tensor tokens = net_.encoder->encode(images, at::kFloat);
    return net_.projection.is_empty() ? tokens : net_.projection->product(tokens, at::kFloat);
  }

  Encoder& encoder() override { return net_.encoder; }
  torch::nn::Module& network() override { return net_; }

 private:
  [[noreturn]] static void refuse() {
    throw Error("ERR_CAE_OPTION", "an encoder alone has no decoder and no loss", "model",
                "ContextAutoencoder.load, with weights of a whole model");
  }

  EncoderNetwork net_;
};

}  // namespace

std::unique_ptr<Method> createEncoderAlone(ConfigReader& reader, const at::Device& device) {
  const EncoderConfig config = readEncoderConfig(reader);
  return std::make_unique<EncoderAlone>(config, reader.integer("projectionDim"), device);
}

}  // namespace cae
