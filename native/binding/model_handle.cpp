#include "binding/model_handle.h"

#include <ATen/ATen.h>

#include <unordered_map>

#include "binding/overwrite.h"
#include "binding/to_js.h"

namespace cae::binding {

int64_t Model::bytes() const {
  int64_t total = 0;
  for (const auto& t : method->tensors()) total += static_cast<int64_t>(t.tensor.nbytes());
  return total;
}

at::Device parseDevice(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  CAE_CHECK(name == "cuda" || name.starts_with("cuda:"), "ERR_CAE_OPTION", "unknown device '", name, "'");
  if (!at::Context::hasCUDART()) {  // of the build; hasCUDA() also wants a device
    throw Error("ERR_CAE_DEVICE", text("device '", name, "' was asked for, but this libtorch has no CUDA"), "device",
                "npx cae-torch setup --cuda, or device: 'cpu'");
  }
  const at::Device device(name);
  const int64_t count = at::detail::getCUDAHooks().deviceCount();
  if (device.index() >= count || count == 0) {
    throw Error("ERR_CAE_DEVICE",
                text("device '", name, "' was asked for, this machine shows ", count, " CUDA devices"), "device",
                "nvidia-smi, CUDA_VISIBLE_DEVICES, or device: 'cpu'");
  }
  return device.has_index() ? device : at::Device(at::kCUDA, 0);
}

at::ScalarType parsePrecision(const std::string& name) {
  CAE_CHECK(name == "fp32" || name == "bf16", "ERR_CAE_OPTION", "unknown precision '", name, "'");
  return name == "bf16" ? at::kBFloat16 : at::kFloat;
}

Napi::Value tensorInfosToJs(Napi::Env env, const std::vector<NamedTensor>& tensors) {
  Napi::Array out = Napi::Array::New(env, tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const NamedTensor& t = tensors[i];
    Napi::Object info = Napi::Object::New(env);
    info.Set("name", Napi::String::New(env, t.name));
    info.Set("shape", shapeToJs(env, t.tensor));
    info.Set("trainable", Napi::Boolean::New(env, t.trainable));
    info.Set("decay", Napi::Boolean::New(env, t.decay));
    out.Set(static_cast<uint32_t>(i), info);
  }
  return out;
}

std::vector<at::Tensor> pick(const std::vector<NamedTensor>& all, const std::vector<std::string>& names) {
  std::unordered_map<std::string, at::Tensor> byName;
  for (const NamedTensor& t : all) byName.emplace(t.name, t.tensor);
  std::vector<at::Tensor> picked;
  for (const std::string& name : names) {
    const auto found = byName.find(name);
    CAE_CHECK(found != byName.end(), "ERR_CAE_CHECKPOINT", "there is no tensor '", name, "' in this model");
    picked.push_back(found->second);
  }
  return picked;
}

void writeTensors(const std::vector<NamedTensor>& all, const std::vector<std::string>& names,
                  const std::vector<at::Tensor>& values) {
  CAE_CHECK(names.size() == values.size(), "ERR_CAE_INTERNAL", names.size(), " names for ", values.size(), " tensors");
  std::vector<at::Tensor> targets = pick(all, names);
  for (size_t i = 0; i < names.size(); ++i) {
    CAE_CHECK(targets[i].sizes() == values[i].sizes(), "ERR_CAE_CHECKPOINT", names[i], " has the shape ",
              values[i].sizes(), ", the model wants ", targets[i].sizes());
  }
  for (size_t i = 0; i < names.size(); ++i) overwrite(targets[i], values[i]);
}

}  // namespace cae::binding
