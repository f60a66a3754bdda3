#include "methods/dvae.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "base/check.h"
#include "model/dvae.h"
#include "model/dvae_light.h"
#include "model/init.h"
#include "ops/gumbel.h"

namespace cae {
namespace {

/// What a network's objective does beside comparing pixels.
struct Objective {
  bool straightThrough;  // decode the most probable code, with the gradient of the relaxed ones
  double klEps;          // added to probabilities inside the logarithm
  std::vector<std::string> schedules;
  /// Weight of the sum of a batch's KL terms in its loss.
  std::function<double(const at::Tensor& images, const ForwardArgs& args)> klWeight;
};

/// KL divergence from the uniform prior at every place of the grid, in nats: sum over v of q_v (ln q_v + ln V).
at::Tensor klFromUniform(const at::Tensor& logits, double eps) {
  const at::Tensor logQ = eps > 0 ? at::log(at::softmax(logits, 1) + eps) : at::log_softmax(logits, 1);  // [B, V, h, w]
  return (at::exp(logQ) * (logQ + std::log(static_cast<double>(logits.size(1))))).sum(1);
}

/// exp(entropy) of the shares in which ids occur: how many codes are in use, each weighed by how often. 0-dim.
at::Tensor perplexity(const at::Tensor& ids, int64_t vocabulary) {
  const at::Tensor flat = ids.flatten();
  const at::Tensor ones = at::ones(flat.sizes(), flat.options().dtype(at::kFloat));
  const at::Tensor shares = at::zeros({vocabulary}, ones.options()).index_add_(0, flat, ones) / flat.numel();
  return at::exp(-at::xlogy(shares, shares).sum());
}

/// A discrete VAE in training.
class TokenizerMethod : public Method {
 public:
  /// @param average a second network of the same shape for the weights' average; none where decay is 0
  TokenizerMethod(std::shared_ptr<DiscreteVae> net, std::shared_ptr<DiscreteVae> average, double averageDecay,
                  Objective objective, const at::Device& device)
      : net_(std::move(net)),
        average_(std::move(average)),
        averageDecay_(averageDecay),
        objective_(std::move(objective)) {
    // The network's own names stay those of its checkpoints; the average's stand under `average.`.
    for (const auto& child : net_->named_children()) root_.register_module(child.key(), child.value());
    if (average_) {
      for (auto& p : average_->parameters()) p.set_requires_grad(false);
      root_.register_module("average", average_);
    }
    root_.to(device);
  }

  void initialise(uint64_t seed) override {
    initialiseConvolutions(*net_, seed);
    moveAverage(0);
  }

  void check(const Batch& batch) const override {
    net_->checkImages(batch.images);
    if (!batch.noise.defined()) return;
    const int64_t side = net_->downsampling();
    const std::vector<int64_t> wanted = {batch.images.size(0), net_->vocabSize(), batch.images.size(2) / side,
                                         batch.images.size(3) / side};
    CAE_CHECK(batch.noise.sizes() == wanted, "ERR_CAE_SHAPE", "the noise has the shape ", batch.noise.sizes(),
              ", the images want ", at::IntArrayRef(wanted));
  }

  Losses forward(const Batch& batch, const ForwardArgs& args) override {
    const Pass pass = {.dtype = args.dtype, .trace = args.trace};
    const at::Tensor images = net_->input(batch.images);
    const at::Tensor logits = net_->logits(images, pass);  // [B, V, h, w]
    pass.record("logits", logits);

    at::Tensor noise = batch.noise;
    if (!noise.defined() && args.isTraining) {
      const DropPathKey& k = args.key;
      noise = ops::gumbelNoise(logits.sizes(), {.seed = k.seed, .step = k.step, .firstPosition = k.firstPosition},
                               logits.device());
    }
    at::Tensor codes = ops::gumbelSoftmax(logits, noise, args.schedule.at("tau"));
    pass.record("soft_one_hot", codes);
    if (objective_.straightThrough) codes = ops::straightThrough(codes);
    const DiscreteVae::Fit fit = net_->fit(net_->decode(codes, pass), images);
    pass.record("fit_map", fit.loss);
    const at::Tensor kl = klFromUniform(logits, objective_.klEps);  // [B, h, w]
    pass.record("kl_map", kl);

    const at::Tensor mean = fit.loss.mean(), klLoss = kl.sum() * objective_.klWeight(images, args);
    Losses losses;
    losses.total = mean + klLoss;
    losses.metrics["loss"] = losses.total.detach();
    losses.metrics["loss_kl"] = klLoss.detach();
    losses.metrics[fit.metricName] = mean.detach() / fit.unit;
    losses.metrics["kl"] = kl.detach().mean();
    losses.metrics["perplexity"] = perplexity(logits.detach().argmax(1), logits.size(1));
    return losses;
  }

  void afterUpdate() override { moveAverage(averageDecay_); }

  std::vector<std::string> schedules() const override { return objective_.schedules; }

  std::map<std::string, at::Tensor> measure(const Batch& batch) override {
    const at::NoGradGuard noGrad;
    const Pass pass = {.dtype = at::kFloat, .trace = {}};
    DiscreteVae& net = tokenizer();
    const at::Tensor images = net.input(batch.images);
    const at::Tensor logits = net.logits(images, pass);
    const at::Tensor ids = logits.argmax(1);
    const at::Tensor decoded = net.decode(ops::oneHot(ids, net.vocabSize()), pass);
    const DiscreteVae::Fit fit = net.fit(decoded, images);
    const at::Tensor original = net.original(images), made = net.pixels(decoded);
    return {{"ids", ids},
            {"images", made},
            {"original", original},
            {"pixel_mse", at::mse_loss(made, original, at::Reduction::None).mean({1, 2, 3})},
            {"fit", fit.loss.mean({1, 2, 3}) / fit.unit},
            {"kl", klFromUniform(logits, objective_.klEps).mean({1, 2})},
            {"usage", at::softmax(logits, 1).mean({0, 2, 3})}};
  }

  DiscreteVae& tokenizer() override { return average_ ? *average_ : *net_; }
  torch::nn::Module& network() override { return root_; }

 private:
  /// average = decay · average + (1 - decay) · weights.
  void moveAverage(double decay) {
    if (!average_) return;
    const at::NoGradGuard noGrad;
    if (decay == 0) {  // a copy: what lay in the average before may be no number, of which nothing is left only here
      at::_foreach_copy_(average_->parameters(), net_->parameters());
    } else {
      at::_foreach_lerp_(average_->parameters(), net_->parameters(), 1 - decay);
    }
  }

  torch::nn::Module root_;
  std::shared_ptr<DiscreteVae> net_, average_;
  double averageDecay_;
  Objective objective_;
};

}  // namespace

std::unique_ptr<Method> createDvae(ConfigReader& reader, const at::Device& device) {
  const DvaeConfig config = readDvaeConfig(reader);
  const double decay = reader.real("averageDecay");
  // loss = [mean over images of (sum of the NLL + beta · sum of the KL)] / (3 H W)
  const auto klWeight = [](const at::Tensor& images, const ForwardArgs& args) {
    return args.schedule.at("beta") / static_cast<double>(images.numel());
  };
  Objective objective = {.straightThrough = false, .klEps = 0, .schedules = {"tau", "beta"}, .klWeight = klWeight};
  return std::make_unique<TokenizerMethod>(makeDvae(config), decay > 0 ? makeDvae(config) : nullptr, decay,
                                           std::move(objective), device);
}

std::unique_ptr<Method> createLightDvae(ConfigReader& reader, const at::Device& device) {
  const LightDvaeConfig config = readLightDvaeConfig(reader);
  const double decay = reader.real("averageDecay");
  // The reference means to divide by the batch and divides by 1 (spec/baselines.md 2.7): the sum runs over all images
  // of the step. A part of the step counts for its share of the images only, so its sum is raised by the inverse of
  // that.
  const auto klWeight = [weight = reader.real("klWeight")](const at::Tensor& images, const ForwardArgs& args) {
    return weight * static_cast<double>(args.stepSamples) / static_cast<double>(images.size(0));
  };
  Objective objective = {.straightThrough = reader.flag("straightThrough"),
                         .klEps = config.layout == LightDvaeConfig::Layout::kBeit ? 1e-10 : 0,
                         .schedules = {"tau"},
                         .klWeight = klWeight};
  return std::make_unique<TokenizerMethod>(makeLightDvae(config), decay > 0 ? makeLightDvae(config) : nullptr, decay,
                                           std::move(objective), device);
}

}  // namespace cae
