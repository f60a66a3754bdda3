#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include "base/cpu_memory.h"
#include "binding/args.h"
#include "binding/bindings.h"
#include "binding/submit.h"

namespace cae::binding {

namespace {

/// The CPU multiplies bfloat16 matrices in hardware: AVX512-BF16 or AMX. The compiler's own question, because
/// libtorch's names for it change from version to version.
bool hasFastBf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") || __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}

}  // namespace

Napi::Value version(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const bool cuda = at::Context::hasCUDART();  // of the build: hasCUDA() also wants a device
  Napi::Object out = Napi::Object::New(env);
  out.Set("libtorch", Napi::String::New(env, TORCH_VERSION));
  out.Set("libtorchBuiltWith", Napi::String::New(env, at::show_config()));
  out.Set("cuda", Napi::Boolean::New(env, cuda));
  out.Set("cudaDevices", Napi::Number::New(env, cuda ? at::detail::getCUDAHooks().deviceCount() : 0));
  out.Set("cpuCapability", Napi::String::New(env, at::get_cpu_capability()));
  out.Set("fastBf16", Napi::Boolean::New(env, hasFastBf16()));
  return out;
}

Napi::Value nativeUse(const Napi::CallbackInfo& info) {
  Args(info, "nativeUse").done();
  const Napi::Env env = info.Env();
  const CpuMemoryUse memory = cpuMemoryUse();
  Napi::Object out = Napi::Object::New(env);
  out.Set("handles", Napi::Number::New(env, static_cast<double>(EnvData::of(env).handles())));
  out.Set("cpuTensors", Napi::Number::New(env, static_cast<double>(memory.blocks)));
  out.Set("cpuTensorBytes", Napi::Number::New(env, static_cast<double>(memory.bytes)));
  return out;
}

/// The one place that changes process-wide settings of libtorch. Tells the number of threads: with 0 the library's own.
Napi::Value configure(const Napi::CallbackInfo& info) {
  Args args(info, "configure");
  const Config config = args.config(0);
  args.done();
  ConfigReader reader(config, "configure");
  const int64_t wanted = reader.integer("threads");
  const bool deterministic = reader.flag("deterministic");
  reader.done();
  // Set even where it is the library's choice: a resume that names the number must get what this run has.
  const int64_t threads = wanted > 0 ? wanted : at::get_num_threads();
  EnvData::of(info.Env()).setThreads(threads);
  at::globalContext().setDeterministicAlgorithms(deterministic, /*warn_only=*/false);
  return Napi::Number::New(info.Env(), static_cast<double>(threads));
}

/// For the exit of the process, which frees no environment: without it libtorch would be taken down under a running
/// task.
Napi::Value shutdown(const Napi::CallbackInfo& info) {
  Args(info, "shutdown").done();
  EnvData::of(info.Env()).stop();
  return info.Env().Undefined();
}

Napi::Value dispose(const Napi::CallbackInfo& info) {
  Args args(info, "dispose");
  HandleBox& box = handleBox(args.value(0));
  args.done();
  const Napi::Env env = info.Env();
  if (box.bytes != 0) Napi::MemoryManagement::AdjustExternalMemory(env, -box.bytes);
  box.bytes = 0;
  if (box.object) EnvData::of(env).countHandle(-1);
  // Batches come and go with every step, which takes their memory again; what a model or trainer held is given back.
  const bool isLasting = box.kind != HandleKind::kBatch;
  // Queued behind the work in flight, so the promise resolves when that is done and the object is gone.
  auto executor = box.executor ? box.executor : EnvData::of(env).images();
  return submit(
      env, executor,
      [object = std::move(box.object), isLasting]() mutable {
        object.reset();
        if (isLasting) releaseCpuMemory();
        return Nothing{};
      },
      nothingToJs);
}

}  // namespace cae::binding
