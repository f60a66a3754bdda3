#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "methods/method.h"

namespace cae {

/// All trainable tensors of a method as slices of one buffer, and their gradients as slices of another: one zeroing,
/// one norm, one optimizer call, and ready-made pieces for collectives. Decayed tensors come first.
class FlatParams {
 public:
  /// Moves the parameters' storage into the buffer; values are kept.
  explicit FlatParams(Method& method);
  ~FlatParams();
  FlatParams(const FlatParams&) = delete;
  FlatParams& operator=(const FlatParams&) = delete;

  /// A trainable tensor and its place in the buffers.
  struct Slot {
    std::string name;
    at::Tensor param;
    int64_t offset;
    bool decay;
  };

  const std::vector<Slot>& slots() const { return slots_; }
  const at::Tensor& values() const { return values_; }
  const at::Tensor& grads() const { return grads_; }

  /// The parts of a flat buffer that are and are not decayed.
  at::Tensor decayed(const at::Tensor& flat) const { return flat.narrow(0, 0, decayedSize_); }
  at::Tensor undecayed(const at::Tensor& flat) const {
    return flat.narrow(0, decayedSize_, flat.size(0) - decayedSize_);
  }

  /// The slice of `flat` that belongs to `slot`, in its shape.
  static at::Tensor view(const at::Tensor& flat, const Slot& slot);

 private:
  std::vector<Slot> slots_;
  int64_t decayedSize_ = 0;
  at::Tensor values_, grads_;
};

}  // namespace cae
