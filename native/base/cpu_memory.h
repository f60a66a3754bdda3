#pragma once

#include <cstdint>

namespace cae {

/// Makes libtorch take the memory of its CPU tensors from pools that keep what a step gives back for the next step, in
/// huge pages where the system has them. A step needs the same few thousand buffers as the one before; from malloc they
/// came as fresh pages, and threads of lanes that work side by side waited for the kernel (docs/performance.md).
/// Once a process, before the first tensor.
void installCpuMemory();

/// Returns to the system what the pools hold and nobody uses.
void releaseCpuMemory();

/// Blocks of the pools that somebody holds. The storage of a tensor is one block.
struct CpuMemoryUse {
  int64_t blocks;
  int64_t bytes;  // in these blocks
};

/// What is in use at this moment, in the whole process; nothing where installCpuMemory() left malloc in place.
CpuMemoryUse cpuMemoryUse();

}  // namespace cae
