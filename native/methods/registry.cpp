#include <string>

#include "base/check.h"
#include "methods/cae.h"
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
