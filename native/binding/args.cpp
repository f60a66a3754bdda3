#include "binding/args.h"

#include <ATen/ATen.h>

#include <cmath>

#include "base/check.h"

namespace cae::binding {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;

at::ScalarType scalarType(const Napi::TypedArray& array, const std::string& name) {
  switch (array.TypedArrayType()) {
    case napi_float32_array: return at::kFloat;
    case napi_uint8_array: return at::kByte;
    case napi_int32_array: return at::kInt;
    case napi_bigint64_array: return at::kLong;
    default: break;
  }
  throw Error("ERR_CAE_SHAPE", text(name, ".data is not a Float32Array, Uint8Array, Int32Array or BigInt64Array"));
}

std::vector<int64_t> shapeFromJs(const Napi::Value& value, const std::string& name) {
  CAE_CHECK(value.IsArray(), "ERR_CAE_SHAPE", name, ".shape is not an array of numbers");
  const auto array = value.As<Napi::Array>();
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value entry = array.Get(i);
    const double size = entry.IsNumber() ? entry.As<Napi::Number>().DoubleValue() : -1;
    CAE_CHECK(size >= 0 && size <= kMaxSafeInteger && std::floor(size) == size, "ERR_CAE_SHAPE", name,
              ".shape holds something that is not a whole number >= 0");
    shape.push_back(static_cast<int64_t>(size));
  }
  return shape;
}

ConfigValue configValue(const Napi::Value& value, const std::string& key) {
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  if (value.IsNumber()) return value.As<Napi::Number>().DoubleValue();
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  if (value.IsArray()) {
    const auto array = value.As<Napi::Array>();
    std::vector<double> list;
    for (uint32_t i = 0; i < array.Length(); ++i) {
      const Napi::Value entry = array.Get(i);
      CAE_CHECK(entry.IsNumber(), "ERR_CAE_INTERNAL", key, " holds something that is not a number");
      list.push_back(entry.As<Napi::Number>().DoubleValue());
    }
    return list;
  }
  throw Error("ERR_CAE_INTERNAL", text(key, " is neither a number, a boolean, a string nor a list of numbers"));
}

}  // namespace

Napi::Value Args::value(size_t position) {
  read_ = std::max(read_, position + 1);
  return info_[position];
}

void Args::refuse(size_t position, const char* wanted) const {
  throw Error("ERR_CAE_INTERNAL", cae::text(function_, ": argument ", position + 1, " is not ", wanted));
}

std::string Args::text(size_t position) {
  const Napi::Value v = value(position);
  if (!v.IsString()) refuse(position, "a string");
  return v.As<Napi::String>().Utf8Value();
}

double Args::real(size_t position) {
  const Napi::Value v = value(position);
  if (!v.IsNumber()) refuse(position, "a number");
  return v.As<Napi::Number>().DoubleValue();
}

int64_t Args::integer(size_t position) {
  const double v = real(position);
  if (std::floor(v) != v || std::abs(v) > kMaxSafeInteger) refuse(position, "an integer below 2^53");
  return static_cast<int64_t>(v);
}

bool Args::flag(size_t position) {
  const Napi::Value v = value(position);
  if (!v.IsBoolean()) refuse(position, "a boolean");
  return v.As<Napi::Boolean>().Value();
}

std::vector<std::string> Args::texts(size_t position) {
  const Napi::Value v = value(position);
  if (!v.IsArray()) refuse(position, "a list of strings");
  const auto array = v.As<Napi::Array>();
  std::vector<std::string> list;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value entry = array.Get(i);
    if (!entry.IsString()) refuse(position, "a list of strings");
    list.push_back(entry.As<Napi::String>().Utf8Value());
  }
  return list;
}

Config Args::config(size_t position) {
  const Napi::Value v = value(position);
  if (!v.IsObject()) refuse(position, "an object");
  return configFromJs(v.As<Napi::Object>());
}

at::Tensor Args::tensor(size_t position) {
  return tensorFromJs(value(position), cae::text(function_, ": argument ", position + 1));
}

at::Tensor Args::optionalTensor(const Napi::Value& value, const char* name) {
  if (value.IsUndefined() || value.IsNull()) return {};
  return tensorFromJs(value, name);
}

std::vector<at::Tensor> Args::tensors(size_t position, KeepAlive& keep) {
  const Napi::Value v = value(position);
  if (!v.IsArray()) refuse(position, "a list of tensors");
  const auto array = v.As<Napi::Array>();
  std::vector<at::Tensor> list;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value tensor = array.Get(i);
    list.push_back(tensorInPlace(tensor, cae::text(function_, " tensor ", i)));
    keep.add(tensor.As<Napi::Object>().Get("data").As<Napi::Object>());
  }
  return list;
}

void Args::done() const {
  CAE_CHECK(info_.Length() <= read_, "ERR_CAE_INTERNAL", function_, ": takes ", read_, " arguments, got ",
            info_.Length());
}

Config configFromJs(const Napi::Object& object, const std::string& except) {
  const Napi::Array names = object.GetPropertyNames();
  Config config;
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string key = names.Get(i).As<Napi::String>().Utf8Value();
    if (key != except) config.emplace(key, configValue(object.Get(key), key));
  }
  return config;
}

std::map<std::string, double> scheduleFromJs(const Napi::Value& value) {
  CAE_CHECK(value.IsObject(), "ERR_CAE_INTERNAL", "a step's schedule is not an object");
  std::map<std::string, double> schedule;
  for (const auto& [name, number] : configFromJs(value.As<Napi::Object>())) {
    CAE_CHECK(std::holds_alternative<double>(number), "ERR_CAE_OPTION", "the schedule's '", name, "' is not a number");
    schedule[name] = std::get<double>(number);
  }
  return schedule;
}

at::Tensor tensorFromJs(const Napi::Value& value, const std::string& name) {
  return tensorInPlace(value, name).clone();
}

at::Tensor tensorInPlace(const Napi::Value& value, const std::string& name) {
  CAE_CHECK(value.IsObject(), "ERR_CAE_SHAPE", name, " is not a tensor { data, shape }");
  const auto object = value.As<Napi::Object>();
  const Napi::Value data = object.Get("data");
  CAE_CHECK(data.IsTypedArray(), "ERR_CAE_SHAPE", name, ".data is not a typed array");
  const auto array = data.As<Napi::TypedArray>();
  const std::vector<int64_t> shape = shapeFromJs(object.Get("shape"), name);
  // Counted in double: a shape that overflows int64 compares unequal instead of wrapping.
  double count = 1;
  for (const int64_t size : shape) count *= static_cast<double>(size);
  CAE_CHECK(count == static_cast<double>(array.ElementLength()), "ERR_CAE_SHAPE", name, ".shape asks for ", count,
            " elements, .data has ", array.ElementLength());
  auto* bytes = static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return at::from_blob(bytes, shape, at::TensorOptions().dtype(scalarType(array, name)));
}

}  // namespace cae::binding
