#include <napi.h>

#include <exception>

#include "binding/bindings.h"
#include "binding/env_data.h"
#include "binding/errors.h"

namespace cae::binding {
namespace {

struct Entry {
  const char* name;
  Napi::Value (*function)(const Napi::CallbackInfo&);
  const char* declaration;  // TypeScript; `npm run gen:native` writes src/native/addon.ts from this column
};

/// The whole border. Types named in a declaration are those of src/native/types.ts.
constexpr Entry kEntries[] = {
    {"version", version, "() => NativeVersion"},
    {"configure", configure, "(options: { threads: number; deterministic: boolean }) => void"},
    {"createModel", createModel, "(config: NativeConfig, seed: number, device: string) => Promise<ModelHandle>"},
    {"modelTensors", modelTensors, "(model: ModelHandle) => TensorInfo[]"},
    {"modelRead", modelRead, "(model: ModelHandle, names: readonly string[]) => Promise<F32Tensor[]>"},
    {"modelWrite", modelWrite,
     "(model: ModelHandle, names: readonly string[], tensors: readonly F32Tensor[]) => Promise<void>"},
    {"modelForward", modelForward,
     "(model: ModelHandle, batch: BatchHandle, options: ForwardOptions) => Promise<Record<string, F32Tensor>>"},
    {"modelEncode", modelEncode,
     "(model: ModelHandle, images: ImageTensor, precision: 'fp32' | 'bf16') => Promise<F32Tensor>"},
    {"modelEncodeBatch", modelEncodeBatch,
     "(model: ModelHandle, batch: BatchHandle, precision: 'fp32' | 'bf16') => Promise<F32Tensor>"},
    {"modelAttention", modelAttention, "(model: ModelHandle, images: ImageTensor) => Promise<F32Tensor>"},
    {"modelReconstruct", modelReconstruct,
     "(model: ModelHandle, batch: BatchHandle, path: 'masked' | 'full') => Promise<F32Tensor>"},
    {"createTrainer", createTrainer, "(model: ModelHandle, config: NativeTrainConfig) => Promise<TrainerHandle>"},
    {"step", step, "(trainer: TrainerHandle, batches: readonly BatchHandle[], hyper: Hyper) => Promise<StepMetrics>"},
    {"trainerTensors", trainerTensors, "(trainer: TrainerHandle) => TensorInfo[]"},
    {"trainerRead", trainerRead, "(trainer: TrainerHandle, names: readonly string[]) => Promise<F32Tensor[]>"},
    {"trainerWrite", trainerWrite,
     "(trainer: TrainerHandle, names: readonly string[], tensors: readonly F32Tensor[], updates: number) => Promise<void>"},
    {"trainerUpdates", trainerUpdates, "(trainer: TrainerHandle) => Promise<number>"},
    {"dispose", dispose, "(handle: AnyHandle) => Promise<void>"},
};

/// Every border function runs inside this: a C++ exception becomes a JavaScript error with a code.
template <size_t I>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return kEntries[I].function(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJsError(info.Env(), describe(std::current_exception()));
  }
}

template <size_t... I>
void exportAll(Napi::Env env, Napi::Object exports, std::index_sequence<I...>) {
  (exports.Set(kEntries[I].name, Napi::Function::New<guarded<I>>(env, kEntries[I].name)), ...);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new EnvData(env));
  exportAll(env, exports, std::make_index_sequence<std::size(kEntries)>());
  return exports;
}

}  // namespace
}  // namespace cae::binding

static Napi::Object initAddon(Napi::Env env, Napi::Object exports) { return cae::binding::init(env, exports); }

NODE_API_MODULE(cae, initAddon)
