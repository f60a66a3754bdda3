#pragma once

namespace cae {

/// Makes libtorch take the memory of its CPU tensors from pools that keep what a step gives back for the next step, in
/// huge pages where the system has them. A step needs the same few thousand buffers as the one before; from malloc they
/// came as fresh pages, and threads of lanes that work side by side waited for the kernel (docs/performance.md).
/// Once a process, before the first tensor.
void installCpuMemory();

/// Returns to the system what the pools hold and nobody uses.
void releaseCpuMemory();

}  // namespace cae
