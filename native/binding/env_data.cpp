#include "binding/env_data.h"

#include <algorithm>
#include <thread>

namespace cae::binding {
namespace {

constexpr const char* kImageThreads = "cae-images";

}  // namespace

EnvData::EnvData(Napi::Env env) : env_(env) {
  function_ = Function::New(env, "cae", 0, 1, this);
  function_.Unref(env);  // an idle addon does not keep the process alive
  // Registered after the thread-safe function, so it runs before that one's own teardown.
  napi_add_env_cleanup_hook(env, [](void* self) { static_cast<EnvData*>(self)->stop(); }, this);
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
    executor = std::make_shared<Executor>(kImageThreads, std::min<int64_t>(cores, 8));
  }
  return executor;
}

void EnvData::pending() {
  if (pendingCount_++ == 0) function_.Ref(env_);
}

void EnvData::toJs(JsCallback callback) {
  auto* owned = new JsCallback(std::move(callback));
  // Refused only while the environment goes away: what the callback holds is then released by process end.
  function_.NonBlockingCall(owned);
}

void EnvData::callJs(Napi::Env env, Napi::Function, EnvData* self, JsCallback* callback) {
  const std::unique_ptr<JsCallback> owned(callback);
  const napi_env raw = env;
  (*owned)(raw);
  if (raw != nullptr && --self->pendingCount_ == 0) self->function_.Unref(env);
}

void EnvData::stop() {
  if (stopped_) return;
  stopped_ = true;
  for (auto& [name, executor] : executors_) executor->stop();
  function_.Release();
}

}  // namespace cae::binding
