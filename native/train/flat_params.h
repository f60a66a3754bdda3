#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "methods/method.h"

namespace cae {

/// All trainable tensors of a method as slices of one buffer. On a device other than the CPU their gradients are slices
/// of another: one zeroing, one norm, one optimizer call. On a CPU gradients stay where the backward pass has made
/// them (OrderedGrads): what counts there is how often they go through memory. Decayed tensors come first.
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
    at::Tensor cast;  // a product's weight in the type of the products, where that is a lower one (LowPrecision)
  };

  const std::vector<Slot>& slots() const { return slots_; }
  const at::Tensor& values() const { return values_; }

  /// All gradients, on a device other than the CPU; undefined there.
  const at::Tensor& grads() const { return grads_; }

  /// Says that the weight at `offset` is used in this form.
  void setCast(int64_t offset, const at::Tensor& cast);

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
