#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

#include <functional>
#include <memory>
#include <vector>

#include "binding/executor.h"

namespace cae::binding {

/// A promise of copies of float32 tensors, `[{ data, shape }]`, as they are when their turn on `executor` comes. The
/// arrays are made here and filled there: a number is moved once, and not by the JS thread.
/// `tensors` is asked here for the sizes, and there again for the values; it keeps alive what it needs.
Napi::Value submitCopies(Napi::Env env, const std::shared_ptr<Executor>& executor,
                         std::function<std::vector<at::Tensor>()> tensors);

}  // namespace cae::binding
