// The threads behind the border, without Node and libtorch: under ThreadSanitizer too (npm run sanitize -- thread).
#include "binding/executor.h"

#include <atomic>
#include <future>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "base/check.h"
#include "binding/share_out.h"
#include "cases.h"

namespace {

using namespace cae;
using namespace cae::binding;
using namespace cae::testing;

/// What a device's executor promises: one after the other, in the order of posting. `order` has no lock on purpose.
void oneThreadRunsInOrder() {
  std::vector<int> order;
  {
    Executor executor("test", 1);
    for (int i = 0; i < 1000; ++i) executor.post([&order, i] { order.push_back(i); });
    std::promise<void> last;
    executor.post([&last] { last.set_value(); });
    last.get_future().wait();
  }
  std::vector<int> want(1000);
  std::iota(want.begin(), want.end(), 0);
  CAE_CHECK(order == want, "TEST", "tasks ran in another order");
}

/// As submit() does: results travel back in an object that the last task to hold it lets go of.
void resultsOfManyPostersArrive() {
  Executor executor("test", 1);
  int64_t sum = 0;  // touched by the executor's thread alone
  std::vector<std::thread> posters;
  for (int poster = 0; poster < 4; ++poster) {
    posters.emplace_back([&executor, &sum] {
      for (int i = 1; i <= 250; ++i) {
        auto done = std::make_shared<std::promise<int>>();
        auto result = done->get_future();
        executor.post([done = std::move(done), i, &sum]() mutable {
          sum += i;
          done->set_value(2 * i);
          done.reset();
        });
        CAE_CHECK(result.get() == 2 * i, "TEST", "another task's result");
      }
    });
  }
  for (auto& poster : posters) poster.join();
  executor.stop();
  CAE_CHECK(sum == 4 * 250 * 251 / 2, "TEST", "the sum is ", sum);
}

/// Teardown in mid-work: what runs ends, what waits is dropped and its captures are freed, what comes later is refused.
void stopDropsWhatWaits() {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> ran = 0;
    const auto captured = std::make_shared<int>(7);
    {
      Executor executor("test", 1 + round % 3);
      std::thread poster([&] {
        for (int i = 0; i < 200; ++i) executor.post([captured, &ran] { ++ran; });
      });
      std::thread stopper([&executor] { executor.stop(); });
      poster.join();
      stopper.join();
      const int before = ran;
      executor.post([captured, &ran] { ++ran; });
      executor.stop();  // a second time does nothing
      CAE_CHECK(ran == before, "TEST", "a task ran after stop()");
    }
    CAE_CHECK(captured.use_count() == 1, "TEST", captured.use_count() - 1, " captures of dropped tasks live on");
  }
}

void everyThreadStartsFirst() {
  std::atomic<int> started = 0;
  {
    Executor executor("test", 3, [&started] { ++started; });
    std::promise<void> one;
    executor.post([&] { one.set_value(); });
    one.get_future().wait();
    CAE_CHECK(started >= 1, "TEST", "a task ran in a thread that had not started");
    executor.stop();
  }
  CAE_CHECK(started == 3, "TEST", started.load(), " of 3 threads started");
}

/// Several collates at once, each shared out over all threads: every part once, and nobody waits for ever.
void partsAreSharedOut() {
  Executor executor("test", 4);
  std::vector<std::future<int64_t>> sums;
  for (int64_t job = 0; job < 40; ++job) {
    auto sum = std::make_shared<std::promise<int64_t>>();
    sums.push_back(sum->get_future());
    executor.post([&executor, sum, job] {
      const int64_t count = 1 + job;
      std::vector<int64_t> parts(static_cast<size_t>(count));  // one writer each: no lock on purpose
      shareOut(executor, count, [&parts](int64_t i) { parts[static_cast<size_t>(i)] += i + 1; });
      sum->set_value(std::accumulate(parts.begin(), parts.end(), int64_t{0}));
    });
  }
  for (int64_t job = 0; job < 40; ++job) {
    const int64_t got = sums[static_cast<size_t>(job)].get();
    CAE_CHECK(got == (job + 1) * (job + 2) / 2, "TEST", "job ", job, " has the sum ", got);
  }
}

/// What a part throws reaches the caller after all running parts have ended.
void aFailedPartIsThrown() {
  Executor executor("test", 3);
  for (int round = 0; round < 20; ++round) {
    std::promise<std::string> outcome;
    executor.post([&executor, &outcome] {
      std::atomic<int> running = 0;
      try {
        shareOut(executor, 30, [&running](int64_t i) {
          ++running;
          if (i == 11) {
            --running;
            throw std::runtime_error("part 11");
          }
          --running;
        });
        outcome.set_value("nothing was thrown");
      } catch (const std::exception& e) {
        outcome.set_value(running == 0 ? e.what() : "parts were still running");
      }
    });
    const std::string said = outcome.get_future().get();
    CAE_CHECK(said == "part 11", "TEST", said);
  }
}

}  // namespace

int main() {
  return runAll({{"one thread runs tasks in order", oneThreadRunsInOrder},
                 {"results of many posters arrive", resultsOfManyPostersArrive},
                 {"stop drops what waits", stopDropsWhatWaits},
                 {"every thread starts first", everyThreadStartsFirst},
                 {"parts are shared out", partsAreSharedOut},
                 {"a failed part is thrown", aFailedPartIsThrown}});
}
