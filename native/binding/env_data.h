#pragma once

#include <napi.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "binding/executor.h"

namespace cae::binding {

/// Called back on the JS thread; `env` is null while the environment is going away: then JS must not be touched.
using JsCallback = std::function<void(napi_env env)>;

/// All state of the addon in one JS environment (main thread or worker). Nothing else of the addon is mutable and
/// outlives a call, so environments cannot disturb each other.
///
/// Life: made when the addon loads. Teardown hook, in this order: executors stop (the running task finishes, queued
/// ones are dropped), threads are joined, then the thread-safe function is released. What it still holds is called back
/// without an environment. Node frees this object after that, and after the finalizers of all handles.
class EnvData {
 public:
  explicit EnvData(Napi::Env env);
  static EnvData& of(Napi::Env env);

  /// The one thread that runs all tensor work of `device`, in order. Made at first use.
  const std::shared_ptr<Executor>& executor(const std::string& device);

  /// The threads that turn decoded pixels into batches.
  const std::shared_ptr<Executor>& images();

  /// Keeps the process alive until the matching toJs() has run. JS thread only.
  void pending();

  /// Runs `callback` on the JS thread, soon. From any thread; never blocks.
  void toJs(JsCallback callback);

  /// CPU threads of libtorch's operators, on every executor there is and will be.
  void setThreads(int64_t threads);

  /// Stops the executors and waits for the tasks that run. What is asked for later is never done.
  void stop();

  /// Handles that were neither disposed nor collected; `change` is +1 or -1. JS thread only.
  void countHandle(int64_t change) { handles_ += change; }
  int64_t handles() const { return handles_; }

 private:
  static void callJs(Napi::Env env, Napi::Function, EnvData* self, JsCallback* callback);
  static void teardown(void* self);
  using Function = Napi::TypedThreadSafeFunction<EnvData, JsCallback, callJs>;

  Napi::Env env_;
  Function function_;
  int64_t pendingCount_ = 0;  // JS thread only
  int64_t handles_ = 0;
  std::map<std::string, std::shared_ptr<Executor>> executors_;
};

}  // namespace cae::binding
