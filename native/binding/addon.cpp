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
