#include "image/large_tensor.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace cae {

at::Tensor largeTensor(at::IntArrayRef sizes, at::ScalarType dtype) {
#if defined(__linux__)
  constexpr size_t kHugePage = size_t{2} << 20;
  size_t bytes = c10::elementSize(dtype);
  for (const int64_t size : sizes) bytes *= static_cast<size_t>(size);
  if (bytes >= 2 * kHugePage) {
    void* memory = std::aligned_alloc(kHugePage, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    if (memory == nullptr) throw std::bad_alloc();
    madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: where it is not granted the pages are small
    return at::from_blob(memory, sizes, [](void* owned) { std::free(owned); }, at::TensorOptions().dtype(dtype));
  }
#endif
  return at::empty(sizes, dtype);
}

}  // namespace cae
