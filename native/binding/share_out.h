#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "binding/executor.h"

namespace cae::binding {

/// Calls `part(i)` once for every i below `count`, on this thread and on the threads of `executor` that are free
/// meanwhile; returns when all are done. To be called from a task of that executor: it never waits for a queued task,
/// only for parts that are running, so tasks that share out at the same time cannot block each other.
/// The first exception of a part is thrown here, after the running parts have ended; the rest is left out.
void shareOut(Executor& executor, int64_t count, std::function<void(int64_t)> part);

}  // namespace cae::binding
