#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

#include <map>
#include <string>
#include <vector>

namespace cae::binding {

/// `{ data, shape }` with a copy of a CPU tensor: float32 (bf16 is widened), uint8 (bool too), int32 (int64 too).
Napi::Value tensorToJs(Napi::Env env, const at::Tensor& tensor);

/// Sizes as a list of numbers.
Napi::Value shapeToJs(Napi::Env env, const at::Tensor& tensor);

Napi::Value namedTensorsToJs(Napi::Env env, const std::map<std::string, at::Tensor>& tensors);
Napi::Value numbersToJs(Napi::Env env, const std::map<std::string, double>& numbers);

}  // namespace cae::binding
