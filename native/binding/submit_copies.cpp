#include "binding/submit_copies.h"

#include <ATen/ATen.h>

#include <utility>

#include "binding/overwrite.h"
#include "binding/submit.h"
#include "binding/to_js.h"

namespace cae::binding {

Napi::Value submitCopies(Napi::Env env, const std::shared_ptr<Executor>& executor,
                         std::function<std::vector<at::Tensor>()> tensors) {
  const std::vector<at::Tensor> known = tensors();
  Napi::Array list = Napi::Array::New(env, known.size());
  std::vector<at::Tensor> copies;
  for (size_t i = 0; i < known.size(); ++i) {
    auto data = Napi::Float32Array::New(env, static_cast<size_t>(known[i].numel()));
    Napi::Object tensor = Napi::Object::New(env);
    tensor.Set("data", data);
    tensor.Set("shape", shapeToJs(env, known[i]));
    list.Set(static_cast<uint32_t>(i), tensor);
    copies.push_back(at::from_blob(data.Data(), known[i].sizes(), at::kFloat));
  }
  KeepAlive keep;
  keep.add(list);
  return submit(
      env, executor,
      [tensors = std::move(tensors), copies] {
        const std::vector<at::Tensor> current = tensors();
        for (size_t i = 0; i < copies.size(); ++i) overwrite(copies[i], current[i]);
        return Nothing{};
      },
      [](Napi::Env, Nothing, const KeepAlive& kept) { return kept.first(); }, std::move(keep));
}

}  // namespace cae::binding
