#include <algorithm>
#include <string>

#include "base/check.h"
#include "methods/cae.h"
#include "methods/dvae.h"
#include "methods/encoder_alone.h"
#include "methods/method.h"

namespace cae {
namespace {

struct Entry {
  const char* name;  // the same word in src/methods/registry.ts
  std::unique_ptr<Method> (*create)(ConfigReader& reader, const at::Device& device);
};

constexpr Entry kMethods[] = {
    {"cae", createContextAutoencoder},
    {"dvae", createDvae},
    {"dvae-light", createLightDvae},
    {"encoder", createEncoderAlone},  // no method of training: what Encoder.load makes
};

bool endsWith(const std::string& name, const std::string& end) { return name.ends_with(end); }

}  // namespace

std::unique_ptr<Method> createMethod(const Config& config, const at::Device& device) {
  ConfigReader reader(config, "model");
  const std::string name = reader.word("method");
  for (const Entry& entry : kMethods) {
    if (name != entry.name) continue;
    auto method = entry.create(reader, device);
    reader.done();
    return method;
  }
  throw Error("ERR_CAE_OPTION", text("there is no method '", name, "'"), "method");
}

Encoder& Method::encoder() {
  throw Error("ERR_CAE_OPTION", "this model has no encoder of patches: it is a tokenizer", "model",
              "the weights of a pre-trained model");
}

DiscreteVae& Method::tokenizer() {
  throw Error("ERR_CAE_OPTION", "this model is no tokenizer: it has no codebook", "model",
              "what trainTokenizer or `cae-torch tokenizer train` made");
}

at::Tensor Method::latents(const at::Tensor&) {
  throw Error("ERR_CAE_OPTION", "this model is trained, its latents are nobody's target", "model", "an encoder alone");
}

std::map<std::string, at::Tensor> Method::measure(const Batch&) {
  tokenizer();  // says that this is none
  return {};
}

at::Tensor Method::reconstruct(const Batch&, bool) {
  throw Error("ERR_CAE_OPTION", "this model does not predict hidden patches", "model");
}

void checkSchedule(const Method& method, const std::map<std::string, double>& schedule) {
  const std::vector<std::string> names = method.schedules();
  for (const std::string& name : names)
    CAE_CHECK(schedule.contains(name), "ERR_CAE_OPTION", "the step has no value for '", name, "' in its schedule");
  for (const auto& [name, value] : schedule) {
    CAE_CHECK(std::ranges::find(names, name) != names.end(), "ERR_CAE_OPTION", "the step's schedule has '", name, "' (",
              value, "), which this model does not read");
  }
}

std::vector<NamedTensor> Method::tensors() {
  std::vector<NamedTensor> all;
  for (const auto& item : network().named_parameters()) {
    const at::Tensor& p = item.value();
    const bool decay = p.requires_grad() && p.dim() > 1 && !endsWith(item.key(), ".bias");
    all.push_back({.name = item.key(), .tensor = p, .trainable = p.requires_grad(), .decay = decay});
  }
  for (const auto& item : network().named_buffers()) {
    all.push_back({.name = item.key(), .tensor = item.value(), .trainable = false, .decay = false});
  }
  return all;
}

}  // namespace cae
