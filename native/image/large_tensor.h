#pragma once

#include <ATen/core/Tensor.h>

namespace cae {

/// An uninitialised CPU tensor. A large one lies in huge pages where the system has them: a batch of 64 photographs is
/// 38 MB, new each time, and taking those as 9,400 pages of 4 KB costs as much time as filling them
/// (docs/performance.md).
at::Tensor largeTensor(at::IntArrayRef sizes, at::ScalarType dtype);

}  // namespace cae
