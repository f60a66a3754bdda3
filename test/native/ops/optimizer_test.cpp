#include <ATen/Parallel.h>

#include <array>

#include "ops/adamw_update.h"
#include "ops/squared_sum.h"
#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

constexpr ops::AdamWUpdate kUpdate = {
    .lr = 3e-3, .weightDecay = 0.05, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .gradScale = 0.5, .count = 7};

at::Tensor values(int64_t count, int64_t seed) { return numbers({count}, seed).detach(); }

/// What an update reads and writes.
struct State {
  at::Tensor values, first, second, low;
};

State stateOf(int64_t count) {
  return {.values = values(count, 1),
          .first = values(count, 2),
          .second = values(count, 3).square(),
          .low = at::empty({count}, at::kBFloat16)};
}

void equalsLibtorch() {
  for (const int64_t count : {1, 31, 100'003}) {
    const State ours = stateOf(count), theirs = stateOf(count);
    const at::Tensor grads = values(count, 4);
    ops::adamwUpdate(ours.values, grads, ours.first, ours.second, ours.low, kUpdate);
    at::_fused_adamw_({theirs.values}, {grads * kUpdate.gradScale}, {theirs.first}, {theirs.second}, {},
                      {at::full({}, static_cast<double>(kUpdate.count))}, kUpdate.lr, kUpdate.beta1, kUpdate.beta2,
                      kUpdate.weightDecay, kUpdate.eps, false, false);
    expectClose(text("values of ", count), ours.values, theirs.values, 1e-6);
    expectClose("first moment", ours.first, theirs.first, 1e-6);
    expectClose("second moment", ours.second, theirs.second, 4e-6);  // numbers up to 20
    expectClose("copy", ours.low, ours.values.to(at::kBFloat16), 0);
  }
}

void lowGradientsAreWidened() {
  const State a = stateOf(70'001), b = stateOf(70'001);
  const at::Tensor grads = values(70'001, 4).to(at::kBFloat16);
  ops::adamwUpdate(a.values, grads, a.first, a.second, a.low, kUpdate);
  ops::adamwUpdate(b.values, grads.to(at::kFloat), b.first, b.second, b.low, kUpdate);
  expectClose("values", a.values, b.values, 0);
  expectClose("second moment", a.second, b.second, 0);
}

void sumIsRightAndTheSameForAnyThreads() {
  const int before = at::get_num_threads();
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t count : {0, 1, 33, 200'017}) {
      const at::Tensor x = values(count, 5).to(type);
      const double want = x.to(at::kDouble).square().sum().item<double>();
      std::array<double, 2> got{};
      for (const int threads : {1, 2}) {
        at::set_num_threads(threads);
        got[threads - 1] = ops::squaredSum(x);
      }
      at::set_num_threads(before);
      CAE_CHECK(std::abs(got[0] - want) <= 1e-6 * want, "TEST", "the sum is ", got[0], ", wanted ", want);
      CAE_CHECK(got[0] == got[1], "TEST", "two threads give ", got[1], ", one gives ", got[0]);
    }
  }
}

void oneThatIsNotFiniteIsSeen() {
  const at::Tensor x = values(1000, 6);
  x[999] = std::numeric_limits<float>::infinity();
  CAE_CHECK(!std::isfinite(ops::squaredSum(x)), "TEST", "an infinity was lost");
}

}  // namespace

int main() {
  return runAll({{"an update equals libtorch's fused AdamW", equalsLibtorch},
                 {"bfloat16 gradients count as their float32 values", lowGradientsAreWidened},
                 {"the sum of squares is right, and the same for any threads", sumIsRightAndTheSameForAnyThreads},
                 {"a value that is not finite shows in the sum", oneThatIsNotFiniteIsSeen}});
}
