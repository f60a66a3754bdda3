#include "binding/errors.h"

#include <c10/util/Exception.h>

#include <new>

#include "base/check.h"

namespace cae::binding {
namespace {

constexpr const char* kOutOfMemoryTodo = "a smaller batchSize or microBatch, a smaller model, or precision 'bf16'";

bool isAllocationFailure(const std::string& what) {
  return what.find("can't allocate memory") != std::string::npos || what.find("out of memory") != std::string::npos;
}

}  // namespace

ErrorParts describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), e.what(), e.where(), e.todo()};
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    if (isAllocationFailure(what)) return {"ERR_CAE_OUT_OF_MEMORY", what, "", kOutOfMemoryTodo};
    return {"ERR_CAE_INTERNAL", what, "", ""};
  } catch (const std::bad_alloc&) {
    return {"ERR_CAE_OUT_OF_MEMORY", "memory allocation failed", "", kOutOfMemoryTodo};
  } catch (const std::exception& e) {
    return {"ERR_CAE_INTERNAL", e.what(), "", ""};
  } catch (...) {
    return {"ERR_CAE_INTERNAL", "unknown native exception", "", ""};
  }
}

Napi::Error toJsError(Napi::Env env, const ErrorParts& parts) {
  Napi::Error error = Napi::Error::New(env, parts.what);
  error.Set("code", Napi::String::New(env, parts.code));
  error.Set("what", Napi::String::New(env, parts.what));
  if (!parts.where.empty()) error.Set("where", Napi::String::New(env, parts.where));
  if (!parts.todo.empty()) error.Set("todo", Napi::String::New(env, parts.todo));
  return error;
}

}  // namespace cae::binding
