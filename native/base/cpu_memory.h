#pragma once

#include <cstddef>
#include <cstdint>

namespace cae {

/// Makes libtorch take the memory of its CPU tensors from pools that keep what a step gives back for the next step, in
/// huge pages where the system has them. A step needs the same few thousand buffers as the one before; from malloc they
/// came as fresh pages, and threads of lanes that work side by side waited for the kernel (docs/performance.md).
/// Once a process, before the first tensor.
void installCpuMemory();

/// Returns to the system what the pools hold and nobody uses.
void releaseCpuMemory();

/// While it lives, memory that nobody has touched yet comes in small pages. For what is written once, in order and by
/// several threads, such as weights from a file: a huge page is cleared whole by one of them, while on virtual machines
/// the host may still have to find it (docs/performance.md). What was touched before stays as it is.
class SmallPages {
 public:
  SmallPages(void* begin, size_t bytes);
  ~SmallPages();
  SmallPages(const SmallPages&) = delete;
  SmallPages& operator=(const SmallPages&) = delete;

  /// Gets the pages of a part in one call instead of one by one at the first touch of each.
  static void touch(void* begin, size_t bytes);

 private:
  void* begin_;
  size_t bytes_;
};

/// Blocks of the pools that somebody holds. The storage of a tensor is one block.
struct CpuMemoryUse {
  int64_t blocks;
  int64_t bytes;  // in these blocks
};

/// What is in use at this moment, in the whole process; nothing where installCpuMemory() left malloc in place.
CpuMemoryUse cpuMemoryUse();

}  // namespace cae
