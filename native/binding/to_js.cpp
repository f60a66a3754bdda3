#include "binding/to_js.h"

#include <ATen/ATen.h>

#include <cstring>

namespace cae::binding {
namespace {

template <class Array>
Napi::Value copyOut(Napi::Env env, const at::Tensor& tensor) {
  auto array = Array::New(env, static_cast<size_t>(tensor.numel()));
  if (tensor.numel() > 0) std::memcpy(array.Data(), tensor.const_data_ptr(), tensor.nbytes());
  return array;
}

Napi::Value dataToJs(Napi::Env env, const at::Tensor& tensor) {
  const at::Tensor t = tensor.detach().cpu();
  switch (t.scalar_type()) {
    case at::kByte:
    case at::kBool: return copyOut<Napi::Uint8Array>(env, t.to(at::kByte).contiguous());
    case at::kInt:
    case at::kLong: return copyOut<Napi::Int32Array>(env, t.to(at::kInt).contiguous());
    default: return copyOut<Napi::Float32Array>(env, t.to(at::kFloat).contiguous());
  }
}

}  // namespace

Napi::Value tensorToJs(Napi::Env env, const at::Tensor& tensor) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("data", dataToJs(env, tensor));
  out.Set("shape", shapeToJs(env, tensor));
  return out;
}

Napi::Value shapeToJs(Napi::Env env, const at::Tensor& tensor) {
  Napi::Array shape = Napi::Array::New(env, static_cast<size_t>(tensor.dim()));
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    shape.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(tensor.size(i))));
  }
  return shape;
}

Napi::Value namedTensorsToJs(Napi::Env env, const std::map<std::string, at::Tensor>& tensors) {
  Napi::Object out = Napi::Object::New(env);
  for (const auto& [name, tensor] : tensors) out.Set(name, tensorToJs(env, tensor));
  return out;
}

Napi::Value numbersToJs(Napi::Env env, const std::map<std::string, double>& numbers) {
  Napi::Object out = Napi::Object::New(env);
  for (const auto& [name, number] : numbers) out.Set(name, Napi::Number::New(env, number));
  return out;
}

}  // namespace cae::binding
