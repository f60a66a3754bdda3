#include "binding/handles.h"

namespace cae::binding {

HandleBox& handleBox(const Napi::Value& value) {
  const bool ours = value.IsExternal() && value.As<Napi::External<HandleBox>>().CheckTypeTag(&kHandleTag);
  CAE_CHECK(ours, "ERR_CAE_INTERNAL", "expected a handle of this addon");
  return *value.As<Napi::External<HandleBox>>().Data();
}

}  // namespace cae::binding
