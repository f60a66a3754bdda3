#include "methods/encoder_alone.h"

#include "base/check.h"

namespace cae {
namespace {

struct EncoderNetwork : public torch::nn::Module {
  explicit EncoderNetwork(const EncoderConfig& config) : encoder(register_module("encoder", Encoder(config))) {}

  Encoder encoder;
};

class EncoderAlone : public Method {
 public:
  EncoderAlone(const EncoderConfig& config, const at::Device& device) : net_(config) { net_.to(device); }

  /// Draws nothing: every weight is about to be written.
  void initialise(uint64_t /*seed*/) override {}

  void check(const Batch& /*batch*/) const override { refuse(); }
  Losses forward(const Batch& /*batch*/, const ForwardArgs& /*args*/) override { refuse(); }
  at::Tensor reconstruct(const Batch& /*batch*/, bool /*full*/) override { refuse(); }

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
  return std::make_unique<EncoderAlone>(readEncoderConfig(reader), device);
}

}  // namespace cae
