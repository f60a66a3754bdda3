#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/config_reader.h"
#include "binding/handles.h"
#include "binding/keep_alive.h"

namespace cae::binding {

/// Reads the arguments of one border call. A bad one throws, naming function and position; done() refuses what was
/// not read, so that no argument can be silently ignored.
class Args {
 public:
  Args(const Napi::CallbackInfo& info, const char* function) : info_(info), function_(function) {}

  Napi::Value value(size_t position);
  std::string text(size_t position);
  double real(size_t position);
  int64_t integer(size_t position);
  bool flag(size_t position);
  std::vector<std::string> texts(size_t position);
  /// A plain object of numbers, booleans, strings and lists of numbers.
  Config config(size_t position);
  /// Copies `{ data, shape }` into a CPU tensor of the array's own type.
  at::Tensor tensor(size_t position);
  /// As tensor(), or an undefined tensor where the argument is undefined.
  at::Tensor optionalTensor(const Napi::Value& value, const char* name);

  template <class T>
  std::shared_ptr<T> handle(size_t position, HandleKind kind) {
    return fromHandle<T>(value(position), kind);
  }

  /// A list of tensors, as tensorInPlace(): `keep` gets their arrays.
  std::vector<at::Tensor> tensors(size_t position, KeepAlive& keep);

  template <class T>
  std::vector<std::shared_ptr<T>> handles(size_t position, HandleKind kind) {
    const Napi::Value v = value(position);
    if (!v.IsArray()) refuse(position, "a list of handles");
    const auto array = v.As<Napi::Array>();
    std::vector<std::shared_ptr<T>> list;
    for (uint32_t i = 0; i < array.Length(); ++i) list.push_back(fromHandle<T>(array.Get(i), kind));
    return list;
  }

  /// Every argument was read.
  void done() const;

 private:
  [[noreturn]] void refuse(size_t position, const char* wanted) const;

  const Napi::CallbackInfo& info_;
  const char* function_;
  size_t read_ = 0;
};

/// The properties of `object`: numbers, booleans, strings and lists of numbers. `except` is the one that the caller
/// reads.
Config configFromJs(const Napi::Object& object, const std::string& except = {});

/// A step's values of what a method names in schedules(): an object of numbers.
std::map<std::string, double> scheduleFromJs(const Napi::Value& value);

/// Copies `{ data, shape }` into a CPU tensor: Float32Array, Uint8Array, Int32Array or BigInt64Array.
/// ERR_CAE_SHAPE when the shape does not fit the data; `name` is what the message calls it.
at::Tensor tensorFromJs(const Napi::Value& value, const std::string& name);

/// As tensorFromJs(), without the copy: the tensor reads the array's memory. Who asks for it gives `value` to the
/// task's KeepAlive, and the JavaScript side leaves the array alone until the promise settles.
at::Tensor tensorInPlace(const Napi::Value& value, const std::string& name);

}  // namespace cae::binding
