#include "binding/env_data.h"

#include <ATen/Parallel.h>
#include <omp.h>

#include <algorithm>
#include <memory>
#include <thread>

namespace cae::binding {
namespace {

constexpr const char* kImageThreads = "cae-images";

/// Image threads work side by side: an operator inside one must not start threads of its own.
void runSerially() {
  at::get_num_threads();  // makes libtorch set this thread up, which it does once
  omp_set_num_threads(1);
}

}  // namespace

EnvData::EnvData(Napi::Env env) : env_(env) {
  function_ = Function::New(env, "cae", 0, 1, this);
  function_.Unref(env);  // an idle addon does not keep the process alive
  // Registered after the thread-safe function, so it runs before that one's own teardown.
  napi_add_env_cleanup_hook(env, teardown, this);
}

EnvData& EnvData::of(Napi::Env env) { return *env.GetInstanceData<EnvData>(); }

const std::shared_ptr<Executor>& EnvData::executor(const std::string& device) {
  auto& executor = executors_[device];
  if (!executor) executor = std::make_shared<Executor>("cae-" + device, 1);
  return executor;
}

const std::shared_ptr<Executor>& EnvData::images() {
  auto& executor = executors_[kImageThreads];
  if (!executor) {
    const int64_t cores = std::max<int64_t>(1, std::thread::hardware_concurrency());
    executor = std::make_shared<Executor>(kImageThreads, std::min<int64_t>(cores, 8), runSerially);
  }
  return executor;
}

void EnvData::pending() {
  if (pendingCount_++ == 0) function_.Ref(env_);
}

void EnvData::toJs(JsCallback callback) {
  auto owned = std::make_unique<JsCallback>(std::move(callback));
  if (function_.NonBlockingCall(owned.get()) == napi_ok) owned.release();
}

void EnvData::callJs(Napi::Env env, Napi::Function, EnvData* self, JsCallback* callback) {
  const std::unique_ptr<JsCallback> owned(callback);
  const napi_env raw = env;
  (*owned)(raw);
  if (raw != nullptr && --self->pendingCount_ == 0) self->function_.Unref(env);
}

void EnvData::setThreads(int64_t threads) {
  const auto set = [count = static_cast<int>(threads)] { at::set_num_threads(count); };
  set();  // for threads that libtorch meets from now on
  for (auto& [name, executor] : executors_) {
    if (name != kImageThreads) executor->post(set);
  }
}

void EnvData::stop() {
  for (auto& [name, executor] : executors_) executor->stop();
}

void EnvData::teardown(void* self) {
  auto& data = *static_cast<EnvData*>(self);
  data.stop();
  data.function_.Release();
}

}  // namespace cae::binding
