#pragma once

#include <napi.h>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "binding/env_data.h"
#include "binding/errors.h"
#include "binding/keep_alive.h"

namespace cae::binding {

/// Keeps the promise of a finished job.
template <class Job>
void settle(Napi::Env env, Job& job) {
  if (job.error) return job.deferred.Reject(toJsError(env, describe(job.error)).Value());
  try {
    if constexpr (std::is_invocable_v<decltype(job.toJs), Napi::Env, decltype(*std::move(job.result)), KeepAlive&>) {
      job.deferred.Resolve(job.toJs(env, *std::move(job.result), job.keep));
    } else {
      job.deferred.Resolve(job.toJs(env, *std::move(job.result)));
    }
  } catch (const Napi::Error& e) {
    job.deferred.Reject(e.Value());
  } catch (...) {
    job.deferred.Reject(toJsError(env, describe(std::current_exception())).Value());
  }
}

/// Runs `work()` on `executor` and returns a promise of `toJs(env, result)`, or of `toJs(env, result, keep)`. The only
/// place that knows promises, the thread-safe function, exception mapping and teardown. `work` runs off the JS thread
/// and must touch no Napi value.
template <class Work, class ToJs>
Napi::Value submit(Napi::Env env, const std::shared_ptr<Executor>& executor, Work work, ToJs toJs,
                   KeepAlive keep = {}) {
  using Result = std::invoke_result_t<Work&>;
  struct Job {
    Job(Napi::Env env, Work&& w, ToJs&& t, KeepAlive&& k)
        : deferred(Napi::Promise::Deferred::New(env)), work(std::move(w)), toJs(std::move(t)), keep(std::move(k)) {}
    Napi::Promise::Deferred deferred;
    std::optional<Work> work;  // reset after the run: frees captured tensors and handles on the executor
    ToJs toJs;
    KeepAlive keep;
    std::optional<Result> result;
    std::exception_ptr error;
  };
  auto job = std::make_shared<Job>(env, std::move(work), std::move(toJs), std::move(keep));
  EnvData& data = EnvData::of(env);
  data.pending();
  const Napi::Value promise = job->deferred.Promise();
  // The job moves on from hand to hand: its last owner must be on the JS thread, where references may be freed.
  executor->post([job = std::move(job), &data]() mutable {
    try {
      job->result.emplace((*job->work)());
    } catch (...) {
      job->error = std::current_exception();
    }
    job->work.reset();
    data.toJs([job = std::move(job)](napi_env raw) {
      if (raw == nullptr) return job->keep.abandon();
      const Napi::Env env(raw);
      const Napi::HandleScope scope(env);
      try {
        settle(env, *job);
      } catch (...) {
        // The environment is being terminated and runs no JavaScript any more: nobody waits for this promise.
      }
    });
  });
  return promise;
}

/// Result of work that has none.
struct Nothing {};

inline Napi::Value nothingToJs(Napi::Env env, Nothing) { return env.Undefined(); }

}  // namespace cae::binding
