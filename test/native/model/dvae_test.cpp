#include "model/dvae.h"

#include <cmath>

#include "methods/method.h"
#include "model/dvae_light.h"
#include "model/init.h"
#include "ops/gumbel.h"
#include "ops/logit_laplace.h"
#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

std::shared_ptr<DiscreteVae> tinyDvae() {
  auto net = makeDvae({.hiddenDim = 4, .decoderInputDim = 6, .blocksPerGroup = 1, .vocabSize = 10});
  initialiseConvolutions(*net, 3);
  return net;
}

std::shared_ptr<DiscreteVae> tinyLight(LightDvaeConfig::Layout layout, int64_t resBlocks) {
  auto net = makeLightDvae({.layout = layout,
                            .numLayers = 2,
                            .hiddenDim = 6,
                            .codebookDim = 5,
                            .resBlocks = resBlocks,
                            .vocabSize = 10,
                            .loss = LightDvaeConfig::Loss::kMse});
  initialiseConvolutions(*net, 3);
  return net;
}

int64_t countOf(torch::nn::Module& module, const std::string& prefix) {
  int64_t count = 0;
  for (const auto& p : module.named_parameters()) {
    if (p.key().rfind(prefix, 0) == 0) count += p.value().numel();
  }
  return count;
}

/// spec/baselines.md 2.3, 2.4: the sizes of the published checkpoints.
void hasDallesSize() {
  const auto net = makeDvae({.hiddenDim = 256, .decoderInputDim = 128, .blocksPerGroup = 2, .vocabSize = 8192});
  CAE_CHECK(countOf(*net, "encoder.") == 53786240, "TEST", "the encoder has ", countOf(*net, "encoder."));
  CAE_CHECK(countOf(*net, "decoder.") == 43829766, "TEST", "the decoder has ", countOf(*net, "decoder."));
}

void namesAreTheCheckpoints() {
  const auto net = tinyDvae();
  for (const char* name :
       {"encoder.blocks.input.w", "encoder.blocks.group_2.block_1.id_path.b", "encoder.blocks.output.conv.b",
        "encoder.blocks.group_4.block_1.res_path.conv_4.w", "decoder.blocks.group_1.block_1.id_path.w"})
    CAE_CHECK(net->named_parameters().contains(name), "TEST", "there is no ", name);
  CAE_CHECK(!net->named_parameters().contains("encoder.blocks.group_1.block_1.id_path.w"), "TEST",
            "a block of one width has an identity path");
  const auto beit = tinyLight(LightDvaeConfig::Layout::kBeit, 0);
  for (const char* name : {"encoder.0.0.weight", "encoder.3.net.4.bias", "encoder.4.weight", "decoder.2.0.bias",
                           "decoder.4.weight", "codebook.weight"})
    CAE_CHECK(beit->named_parameters().contains(name), "TEST", "BEiT's layout has no ", name);
  const auto original = tinyLight(LightDvaeConfig::Layout::kOriginal, 1);
  for (const char* name : {"encoder.1.0.weight", "encoder.2.net.0.weight", "encoder.3.weight", "decoder.0.weight",
                           "decoder.1.net.2.weight", "decoder.2.0.weight", "decoder.4.weight"})
    CAE_CHECK(original->named_parameters().contains(name), "TEST", "the original layout has no ", name);
}

/// ids and back, at sizes that the network was not told.
void anySizeGoesThrough() {
  const at::Tensor images = at::full({2, 3, 16, 24}, 100, at::kByte);
  for (const auto& net :
       {tinyDvae(), tinyLight(LightDvaeConfig::Layout::kBeit, 0), tinyLight(LightDvaeConfig::Layout::kOriginal, 2),
        tinyLight(LightDvaeConfig::Layout::kOriginal, 0)}) {
    const at::Tensor ids = net->ids(images);
    const int64_t side = net->downsampling();
    CAE_CHECK(ids.sizes() == at::IntArrayRef({2, 16 / side, 24 / side}), "TEST", "ids ", ids.sizes());
    const at::Tensor made = net->images(ids);
    CAE_CHECK(made.sizes() == images.sizes(), "TEST", "images ", made.sizes());
    CAE_CHECK(made.min().item<float>() >= 0 && made.max().item<float>() <= 1, "TEST", "pixels outside 0 and 1");
  }
}

void theLowestOfEqualCodesWins() {
  const auto net = tinyDvae();
  const at::NoGradGuard noGrad;
  for (auto& p : net->named_parameters()) {
    if (p.key().rfind("encoder.blocks.output.conv", 0) == 0) p.value().zero_();
  }
  const at::Tensor ids = net->ids(at::zeros({1, 3, 8, 8}, at::kByte));
  CAE_CHECK(ids.item<int64_t>() == 0, "TEST", "id ", ids.item<int64_t>());
}

void pixelsMapThereAndBack() {
  const at::Tensor pixels = at::linspace(0, 1, 11);
  expectClose("mapped", ops::mapPixels(pixels), at::linspace(0.1, 0.9, 11), 1e-6);
  expectClose("unmapped", ops::unmapPixels(ops::mapPixels(pixels)), pixels, 1e-6);
  expectClose("cut", ops::unmapPixels(at::tensor({0.0F, 1.0F})), at::tensor({0.0F, 1.0F}), 0);
}

/// The density of the logit-Laplace distribution integrates to one over (0, 1).
void likelihoodIsADensity() {
  const int64_t points = 200001;
  const at::Tensor x = ((at::arange(points, at::kDouble) + 0.5) / points).view({1, 1, 1, points}).expand({1, 3, 1, -1});
  const at::Tensor stats = at::empty({1, 6, 1, points}, at::kDouble);
  stats.narrow(1, 0, 3).fill_(0.4);
  stats.narrow(1, 3, 3).fill_(std::log(0.3));
  const at::Tensor mass = at::exp(-ops::logitLaplaceNll(x, stats)).mean({0, 2, 3});
  expectClose("mass", mass, at::ones({3}, at::kDouble), 1e-4);
}

void likelihoodHasItsGradient() {
  const at::Tensor x = at::sigmoid(numbers({2, 3, 2, 2}, 4, at::kDouble).detach());
  expectGradients("nll", [&](const std::vector<at::Tensor>& in) { return std::vector{ops::logitLaplaceNll(x, in[0])}; },
                  {numbers({2, 6, 2, 2}, 5, at::kDouble)});
}

/// Mean and variance of Gumbel's distribution: Euler's constant and pi^2 / 6.
void noiseIsGumbels() {
  const at::Tensor noise = ops::gumbelNoise({8, 50000}, {.seed = 1, .step = 4, .firstPosition = 0}, at::kCPU);
  CAE_CHECK(at::isfinite(noise).all().item<bool>(), "TEST", "noise that is not finite");
  CAE_CHECK(std::abs(noise.mean().item<double>() - 0.57722) < 0.01, "TEST", "mean ", noise.mean().item<double>());
  CAE_CHECK(std::abs(noise.var().item<double>() - 1.64493) < 0.03, "TEST", "variance ", noise.var().item<double>());
}

void splitsDoNotMatter() {
  const at::Tensor whole = ops::gumbelNoise({5, 7, 2, 2}, {.seed = 1, .step = 4, .firstPosition = 10}, at::kCPU);
  const at::Tensor rest = ops::gumbelNoise({2, 7, 2, 2}, {.seed = 1, .step = 4, .firstPosition = 13}, at::kCPU);
  expectClose("rest", rest, whole.narrow(0, 3, 2), 0);
  const at::Tensor later = ops::gumbelNoise({5, 7, 2, 2}, {.seed = 1, .step = 5, .firstPosition = 10}, at::kCPU);
  CAE_CHECK(!at::equal(whole, later), "TEST", "two steps have the same noise");
}

void hardCodesHaveTheSoftOnesGradient() {
  const at::Tensor soft = at::softmax(numbers({2, 4, 1, 3}, 6), 1).detach().requires_grad_(true);
  const at::Tensor hard = ops::straightThrough(soft);
  expectClose("one-hot", hard.detach(), ops::oneHot(soft.argmax(1), 4), 1e-6);
  const at::Tensor weight = numbers({2, 4, 1, 3}, 7).detach();
  (hard * weight).sum().backward();
  expectClose("gradient", soft.grad(), weight, 0);
}

/// After updates the average has moved towards the weights by its share, and ids come from it.
void averageFollows() {
  const Config config = {{"method", "dvae"},      {"hiddenDim", 4.0},  {"decoderInputDim", 6.0},
                         {"blocksPerGroup", 1.0}, {"vocabSize", 10.0}, {"averageDecay", 0.9}};
  const auto method = createMethod(config, at::kCPU);
  method->initialise(1);
  const auto named = method->network().named_parameters();
  const at::Tensor weight = named["encoder.blocks.input.w"], average = named["average.encoder.blocks.input.w"];
  expectClose("start", average, weight.detach(), 0);
  CAE_CHECK(weight.requires_grad() && !average.requires_grad(), "TEST", "the average is trained");
  const at::Tensor before = average.clone();
  {
    const at::NoGradGuard noGrad;
    weight.add_(1);
  }
  method->afterUpdate();
  expectClose("after", average, before + 0.1, 1e-6);
}

void wrongSchedulesAreRefused() {
  const Config config = {{"method", "dvae"},      {"hiddenDim", 4.0},  {"decoderInputDim", 6.0},
                         {"blocksPerGroup", 1.0}, {"vocabSize", 10.0}, {"averageDecay", 0.0}};
  const auto method = createMethod(config, at::kCPU);
  for (const std::map<std::string, double>& schedule :
       {std::map<std::string, double>{{"tau", 1}}, {{"tau", 1}, {"beta", 1}, {"gamma", 1}}}) {
    try {
      checkSchedule(*method, schedule);
    } catch (const Error&) {
      continue;
    }
    throw Error("TEST", "a wrong schedule was taken");
  }
  checkSchedule(*method, {{"tau", 1}, {"beta", 1}});
}

}  // namespace

int main() {
  return runAll({{"has the size of DALL-E's checkpoints", hasDallesSize},
                 {"tensors are called as in the checkpoints", namesAreTheCheckpoints},
                 {"images of any size go to ids and back", anySizeGoesThrough},
                 {"the lowest of equal codes wins", theLowestOfEqualCodesWins},
                 {"pixels map there and back", pixelsMapThereAndBack},
                 {"the likelihood is a density", likelihoodIsADensity},
                 {"the likelihood has its gradient", likelihoodHasItsGradient},
                 {"the noise is Gumbel's", noiseIsGumbels},
                 {"the noise does not depend on how a step is split", splitsDoNotMatter},
                 {"hard codes have the soft ones' gradient", hardCodesHaveTheSoftOnesGradient},
                 {"the average follows the weights", averageFollows},
                 {"schedules of other names are refused", wrongSchedulesAreRefused}});
}
