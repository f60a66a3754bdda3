#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "binding/env_data.h"
#include "binding/executor.h"

namespace cae::binding {

/// Every kind of object that crosses the border as an opaque handle. One list, so that none is used twice.
enum class HandleKind { kModel, kTrainer, kBatch, kLinearProbe };

constexpr const char* handleName(HandleKind kind) {
  switch (kind) {
    case HandleKind::kModel: return "model";
    case HandleKind::kTrainer: return "trainer";
    case HandleKind::kBatch: return "batch";
    case HandleKind::kLinearProbe: return "linear probe";
  }
  return "handle";
}

/// What a handle points to. The native object is shared: work in the queue keeps it alive after dispose().
struct HandleBox {
  HandleKind kind;
  std::shared_ptr<void> object;        // null after dispose
  std::shared_ptr<Executor> executor;  // where the object is used and destroyed; null: anywhere
  int64_t bytes;                       // native memory reported to V8
};

/// Tag of our externals; a foreign external or a plain object is refused.
constexpr napi_type_tag kHandleTag = {0x6361652d746f7263ULL, 0x682d68616e646c65ULL};

template <class T>
Napi::Value makeHandle(Napi::Env env, HandleKind kind, std::shared_ptr<T> object, std::shared_ptr<Executor> executor,
                       int64_t bytes) {
  auto* box = new HandleBox{kind, std::move(object), std::move(executor), bytes};
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes);
  EnvData::of(env).countHandle(1);
  auto external = Napi::External<HandleBox>::New(env, box, [](Napi::BasicEnv env, HandleBox* owned) {
    // A safety net: a handle nobody disposed. Its object may only die where it lives, so it goes through its executor.
    if (owned->object) env.GetInstanceData<EnvData>()->countHandle(-1);
    if (owned->object && owned->executor) owned->executor->post([object = std::move(owned->object)] {});
    if (owned->bytes != 0) Napi::MemoryManagement::AdjustExternalMemory(env, -owned->bytes);
    delete owned;
  });
  external.TypeTag(&kHandleTag);
  return external;
}

/// The box behind `value`, of any kind, disposed or not.
HandleBox& handleBox(const Napi::Value& value);

/// The object behind a handle of `kind`; a wrong or disposed handle is a coded error.
template <class T>
std::shared_ptr<T> fromHandle(const Napi::Value& value, HandleKind kind) {
  HandleBox& box = handleBox(value);
  CAE_CHECK(box.kind == kind, "ERR_CAE_INTERNAL", "expected a ", handleName(kind), " handle, got a ",
            handleName(box.kind));
  if (!box.object) {
    throw Error("ERR_CAE_DISPOSED", text("the ", handleName(kind), " has been disposed"), "",
                "keep it until its last use");
  }
  return std::static_pointer_cast<T>(box.object);
}

}  // namespace cae::binding
