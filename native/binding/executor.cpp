#include "binding/executor.h"

#include <pthread.h>

namespace cae::binding {

Executor::Executor(std::string name, int64_t threads, Task onStart)
    : name_(std::move(name)), onStart_(std::move(onStart)) {
  for (int64_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Executor::~Executor() { stop(); }

void Executor::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void Executor::stop() {
  std::deque<Task> dropped;  // destroyed after the lock is released: a task may own objects with locks of their own
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Executor::run() {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
#endif
  if (onStart_) onStart_();
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace cae::binding
