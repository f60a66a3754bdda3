#include <napi.h>

#include <exception>

#include "base/cpu_memory.h"
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
    {"nativeUse", nativeUse, "() => NativeUse"},
    {"configure", configure, "(options: { threads: number; deterministic: boolean }) => number"},
    {"shutdown", shutdown, "() => void"},
    {"createModel", createModel, "(config: NativeConfig, seed: number, device: string) => Promise<ModelHandle>"},
    {"modelTensors", modelTensors, "(model: ModelHandle) => TensorInfo[]"},
    {"modelRead", modelRead, "(model: ModelHandle, names: readonly string[]) => Promise<F32Tensor[]>"},
    {"modelWrite", modelWrite,
     "(model: ModelHandle, names: readonly string[], tensors: readonly F32Tensor[]) => Promise<void>"},
    {"modelFill", modelFill,
     "(model: ModelHandle, names: readonly string[], values: readonly FileValues[]) => Promise<number[]>"},
    {"modelForward", modelForward,
     "(model: ModelHandle, batch: BatchHandle, options: ForwardOptions) => Promise<Record<string, F32Tensor>>"},
    {"modelEncodeBatch", modelEncodeBatch,
     "(model: ModelHandle, batch: BatchHandle, precision: 'fp32' | 'bf16') => Promise<F32Tensor>"},
    {"addLatents", addLatents, "(tower: ModelHandle, batch: BatchHandle) => Promise<BatchHandle>"},
    {"modelAttention", modelAttention, "(model: ModelHandle, batch: BatchHandle) => Promise<F32Tensor>"},
    {"modelReconstruct", modelReconstruct,
     "(model: ModelHandle, batch: BatchHandle, path: 'masked' | 'full') => Promise<F32Tensor>"},
    {"tokenizerEncode", tokenizerEncode, "(model: ModelHandle, batch: BatchHandle) => Promise<I32Tensor>"},
    {"tokenizeBatch", tokenizeBatch, "(model: ModelHandle, batch: BatchHandle) => Promise<BatchHandle>"},
    {"tokenizerDecode", tokenizerDecode, "(model: ModelHandle, ids: I32Tensor) => Promise<F32Tensor>"},
    {"tokenizerMeasure", tokenizerMeasure, "(model: ModelHandle, batch: BatchHandle) => Promise<TokenizerMeasures>"},
    {"createTrainer", createTrainer, "(model: ModelHandle, config: NativeTrainConfig) => Promise<TrainerHandle>"},
    {"step", step, "(trainer: TrainerHandle, batches: readonly BatchHandle[], hyper: Hyper) => Promise<StepMetrics>"},
    {"examineStep", examineStep,
     "(trainer: TrainerHandle, batches: readonly BatchHandle[], hyper: Hyper) => Promise<StepFindings>"},
    {"trainerTensors", trainerTensors, "(trainer: TrainerHandle) => TensorInfo[]"},
    {"trainerRead", trainerRead, "(trainer: TrainerHandle, names: readonly string[]) => Promise<F32Tensor[]>"},
    {"trainerWrite", trainerWrite,
     "(trainer: TrainerHandle, names: readonly string[], tensors: readonly F32Tensor[], updates: number) => Promise<void>"},
    {"trainerUpdates", trainerUpdates, "(trainer: TrainerHandle) => Promise<number>"},
    {"modelFeatures", modelFeatures,
     "(model: ModelHandle, batch: BatchHandle, precision: 'fp32' | 'bf16') => Promise<PooledFeatures>"},
    {"featureSpread", featureSpread, "(features: F32Tensor) => Promise<FeatureSpread>"},
    {"nearestNeighbors", nearestNeighbors, "(bank: F32Tensor, queries: F32Tensor, k: number) => Promise<Neighbors>"},
    {"createLinearProbe", createLinearProbe,
     "(config: NativeConfig, seed: number, device: string) => Promise<LinearProbeHandle>"},
    {"linearProbeStep", linearProbeStep,
     "(probe: LinearProbeHandle, features: F32Tensor, labels: I32Tensor, rows: I32Tensor | undefined, lr: number, "
     "weightDecay: number) => Promise<ProbeMetrics>"},
    {"linearProbeLogits", linearProbeLogits, "(probe: LinearProbeHandle, features: F32Tensor) => Promise<F32Tensor>"},
    {"linearProbeRead", linearProbeRead,
     "(probe: LinearProbeHandle, names: readonly string[]) => Promise<F32Tensor[]>"},
    {"linearProbeWrite", linearProbeWrite,
     "(probe: LinearProbeHandle, names: readonly string[], tensors: readonly F32Tensor[]) => Promise<void>"},
    {"collate", collate, "(samples: readonly DecodedSample[], spec: CollateSpec) => Promise<BatchHandle>"},
    {"createBatch", createBatch,
     "(images: ImageTensor, mask: U8Tensor | undefined, ids: I32Tensor | undefined, noise: F32Tensor | undefined, "
     "latents?: F32Tensor) => Promise<BatchHandle>"},
    {"joinBatches", joinBatches, "(parts: readonly BatchHandle[]) => Promise<BatchHandle>"},
    {"readBatch", readBatch, "(batch: BatchHandle) => Promise<BatchTensors>"},
    {"resizeImage", resizeImage,
     "(image: DecodedSample, height: number, width: number, interpolation: 'bicubic' | 'bilinear' | 'lanczos') => Promise<U8Tensor>"},
    {"drawMasks", drawMasks,
     "(spec: MaskSpec, seed: number, epoch: number, indices: readonly number[]) => Promise<U8Tensor>"},
    {"drawCrops", drawCrops,
     "(spec: CropSpec, width: number, height: number, seed: number, epoch: number, indices: readonly number[]) => "
     "Promise<I32Tensor>"},
    {"replayMask", replayMask, "(spec: MaskSpec, draws: Float64Array) => U8Tensor"},
    {"replayCrop", replayCrop, "(spec: CropSpec, width: number, height: number, draws: Float64Array) => I32Tensor"},
    {"randomNumbers", randomNumbers,
     "(seed: number, purpose: number, time: number, index: number, count: number) => Float64Array"},
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
  installCpuMemory();
  env.SetInstanceData(new EnvData(env));
  exportAll(env, exports, std::make_index_sequence<std::size(kEntries)>());
  return exports;
}

}  // namespace
}  // namespace cae::binding

static Napi::Object initAddon(Napi::Env env, Napi::Object exports) { return cae::binding::init(env, exports); }

NODE_API_MODULE(cae, initAddon)
