#pragma once

#include <ATen/core/Tensor.h>

namespace cae::binding {

/// Copies the values of `value` into `target`, of the same shape. Memory sets the pace of it: a second thread would
/// only take a core from whoever reads the next tensors or writes the last ones.
void overwrite(const at::Tensor& target, const at::Tensor& value);

}  // namespace cae::binding
