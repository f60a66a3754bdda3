#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cae::binding {

/// Threads that run tasks in the order given. One thread: tasks are strictly sequential (a device's executor).
/// Several: started in order, finished in any (the image threads).
class Executor {
 public:
  using Task = std::function<void()>;

  /// `onStart` runs first in every thread.
  Executor(std::string name, int64_t threads, Task onStart = {});
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  int64_t threads() const { return static_cast<int64_t>(threads_.size()); }

  /// Queues `task`; it must not throw. After stop() it is dropped unrun.
  void post(Task task);

  /// Lets running tasks finish, drops the queued ones and joins. Idempotent.
  void stop();

 private:
  void run();

  std::string name_;
  Task onStart_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cae::binding
