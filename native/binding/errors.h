#pragma once

#include <napi.h>

#include <exception>
#include <string>

namespace cae::binding {

/// An exception in the form that crosses to JavaScript.
struct ErrorParts {
  std::string code, what, where, todo;
};

/// Reads any exception: cae::Error keeps its code; a failed allocation becomes ERR_CAE_OUT_OF_MEMORY; whatever
/// else libtorch throws becomes ERR_CAE_INTERNAL without its backtrace.
ErrorParts describe(const std::exception_ptr& error);

/// JavaScript Error with the properties `code`, `what`, `where` and `todo`; src/native/load.ts makes a CaeError of it.
Napi::Error toJsError(Napi::Env env, const ErrorParts& parts);

}  // namespace cae::binding
