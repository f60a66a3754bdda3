#pragma once

#include <napi.h>

#include <vector>

namespace cae::binding {

/// JS values that must outlive a task (typed arrays read by another thread). Freed on the JS thread only.
class KeepAlive {
 public:
  KeepAlive() = default;
  KeepAlive(KeepAlive&&) = default;
  KeepAlive& operator=(KeepAlive&&) = default;

  void add(const Napi::Object& value) { references_.push_back(Napi::Persistent(value)); }

  /// What was added first. On the JS thread only.
  Napi::Value first() const { return references_.front().Value(); }

  /// For the case that the environment is gone: it has freed the references itself.
  void abandon() {
    for (auto& reference : references_) reference.SuppressDestruct();
  }

 private:
  std::vector<Napi::ObjectReference> references_;
};

}  // namespace cae::binding
