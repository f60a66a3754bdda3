#pragma once

#include <napi.h>

/// The functions of the border, grouped by the file that defines them. addon.cpp holds the table of all of them.
namespace cae::binding {

// runtime_binding.cpp
Napi::Value version(const Napi::CallbackInfo& info);
Napi::Value configure(const Napi::CallbackInfo& info);
Napi::Value dispose(const Napi::CallbackInfo& info);

}  // namespace cae::binding
