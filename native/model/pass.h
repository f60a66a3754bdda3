#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

namespace cae {

/// Receives named intermediate results (`encoder_block0`, ...), for parity tests and pictures.
using Trace = std::function<void(const std::string& name, const at::Tensor& value)>;

/// What one forward pass has besides its inputs.
struct Pass {
  at::ScalarType dtype;  // of the matrix products; the residual stream and all statistics stay float32
  Trace trace;           // empty: nobody listens

  void record(const std::string& name, const at::Tensor& value) const {
    if (trace) trace(name, value);
  }
};

}  // namespace cae
