#include "binding/share_out.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace cae::binding {
namespace {

/// What the threads of one shareOut() have in common. A helper that starts late finds no part left and lets go of it.
class Shared {
 public:
  Shared(int64_t count, std::function<void(int64_t)> part) : count_(count), part_(std::move(part)) {}

  /// Takes parts until none is left.
  void work() {
    for (std::unique_lock lock(mutex_); next_ < count_;) {
      const int64_t mine = next_++;
      ++running_;
      lock.unlock();
      std::exception_ptr error;
      try {
        part_(mine);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      --running_;
      if (error) {
        next_ = count_;
        if (!error_) error_ = error;
      }
    }
    idle_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return next_ >= count_ && running_ == 0; });
    // Given away, not shared: a helper that comes late lets go of the rest, and must not be who frees the exception.
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  const int64_t count_;
  const std::function<void(int64_t)> part_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int64_t next_ = 0, running_ = 0;
  std::exception_ptr error_;
};

}  // namespace

void shareOut(Executor& executor, int64_t count, std::function<void(int64_t)> part) {
  const auto shared = std::make_shared<Shared>(count, std::move(part));
  const int64_t helpers = std::min(executor.threads(), count) - 1;
  for (int64_t i = 0; i < helpers; ++i) executor.post([shared] { shared->work(); });
  shared->work();
  shared->wait();
}

}  // namespace cae::binding
